"""Reverse curriculum: rewards for finishing right solutions, first from near their end."""

from flows.loops.loop import Arm, Grown, Loop, open_loop
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.dataset_export.state_builders import ReverseCurriculumConfig
from schemas.loops import CurriculumArm, ReverseCurriculumLoopConfig


@flow(name="reverse_curriculum", flow_run_name=name_run)
def reverse_curriculum(
    config: ReverseCurriculumLoopConfig, root: str, run_id: str | None = None
) -> str:
    """Train every arm on states of the same solutions; the folder of the first arm's best."""
    with open_loop(config, root, run_id) as loop:
        arms: dict[CurriculumArm, Arm] = {name: loop.begin(name) for name in config.arms}
        grown = loop.grow(1, config.policy)
        for name, arm in arms.items():
            _train(loop, arm, builders_of(name, config.builder), grown, config)
        return loop.finish(arms[config.arms[0]])


def builders_of(
    arm: CurriculumArm, builder: ReverseCurriculumConfig
) -> list[ReverseCurriculumConfig]:
    """The sets that an arm trains on, one after another."""
    stages = {
        "mixed": [None],
        "staged": range(1, builder.num_stages + 1),
        "plain": [builder.num_stages],
    }[arm]
    return [
        builder if stage is None else builder.with_fields(mode="staged", stage=stage, shares=None)
        for stage in stages
    ]


def _train(
    loop: Loop,
    arm: Arm,
    builders: list[ReverseCurriculumConfig],
    grown: Grown,
    config: ReverseCurriculumLoopConfig,
) -> None:
    """Train on each set in turn, with equal parts of the tokens."""
    max_tokens = config.training.max_generated_tokens
    method = config.training.with_fields(
        max_generated_tokens=None if max_tokens is None else max_tokens // len(builders)
    )
    for number, builder in enumerate(builders, 1):
        built = loop.build(builder, [grown])
        label = f"1.{number}" if len(builders) > 1 else "1"
        loop.improve(arm, label, [grown], built, method)
