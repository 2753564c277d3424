"""Easy to hard: a verifier of easy problems in place of the answers of hard ones."""

from flows.dataset_export import build_training_set
from flows.loops.loop import EVAL, Arm, Grown, Loop, open_loop
from flows.prm_training import train_verifier
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run
from flows.sampling import sample
from schemas.dataset_export import ChecksConfig, DatasetExportJob, SourceConfig
from schemas.dataset_export.state_builders import WholeProblemsConfig
from schemas.engines import VLLMConfig
from schemas.loops.easy_to_hard import EasyToHardArm, EasyToHardLoopConfig
from schemas.policy_training import PolicyMethod
from schemas.prm_training import PrmTrainingJob
from schemas.sampling import SamplingJob
from schemas.training.rewards import VerifierRewardConfig
from storage.rounds import grown_counts

EASY = "easy"
"""The set of easy problems."""


@flow(name="easy_to_hard", flow_run_name=name_run)
def easy_to_hard(config: EasyToHardLoopConfig, root: str, run_id: str | None = None) -> str:
    """Train every arm on the hard problems; the folder of the first arm's best policy."""
    with open_loop(config, root, run_id) as loop:
        arms: dict[EasyToHardArm, Arm] = {name: loop.begin(name) for name in config.arms}
        verifier = config.verifier or _train_verifier(loop, config)
        grown = loop.grow(1, config.policy, verifier)
        drawn = grown_counts(loop.store, loop.run_id, grown.number, grown.policy)["num_tokens"]
        say(f"easy_to_hard: {drawn:.0f} tokens for each arm")
        for name, arm in arms.items():
            built, method = _plan(loop, config, name, grown, verifier, int(drawn))
            loop.improve(arm, "1", [grown], built, method)
        return loop.finish(arms[config.arms[0]])


def _plan(
    loop: Loop,
    config: EasyToHardLoopConfig,
    arm: EasyToHardArm,
    grown: Grown,
    verifier: VLLMConfig,
    num_tokens: int,
) -> tuple[str, PolicyMethod]:
    """The set that an arm learns from, and how."""
    checks = _checks(config)
    if arm == "dpo":
        return loop.build(config.pairs, [grown], checks=checks), config.dpo
    if arm == "rest":
        return loop.build(config.kept, [grown], checks=checks), config.sft
    method = config.ppo.with_fields(max_generated_tokens=num_tokens)
    if arm == "full":
        return loop.build(WholeProblemsConfig(), [grown], checks=checks), method
    reward = VerifierRewardConfig(verifier=verifier, reduction="last")
    builder = WholeProblemsConfig(gold="hidden")
    return loop.build(builder, [grown], checks=checks), method.with_fields(reward=reward)


def _checks(config: EasyToHardLoopConfig) -> ChecksConfig:
    """Easy and hard problems may share their words: only what is measured on is kept apart."""
    return config.checks.with_fields(test_sets=(EVAL,))


def _train_verifier(loop: Loop, config: EasyToHardLoopConfig) -> VLLMConfig:
    """A verifier of whole solutions, from the graded solutions of the easy problems."""
    sample(
        SamplingJob(
            problems=config.easy_problems,
            set_name=EASY,
            policy=config.policy,
            prompt=config.prompt,
            grader=config.grader,
            sampling=config.train_sampling,
            pool=config.pool,
            seed=config.seed,
            round=0,  # the tokens of round 1 are those of the hard problems alone
        ),
        loop.store.url,
        loop.run_id,
    )
    built = build_training_set(
        DatasetExportJob(
            builder=config.verifier_builder,
            source=SourceConfig(set_names=(EASY,), splits=config.train_splits),
            checks=_checks(config).with_fields(min_step_chars=1),
            prompt=config.prompt,
            policy=config.policy,
            seed=config.seed,
        ),
        loop.store.url,
        loop.run_id,
    )
    loop.release()
    job = PrmTrainingJob(
        set_names=(EASY,),
        policy=config.policy,
        prompt=config.prompt,
        training=config.verifier_training.with_fields(
            base_model=config.policy.model, separator=config.prompt.separator
        ),
        training_set=built,
    )
    return config.policy.with_fields(
        model=train_verifier(job, loop.store.url, loop.run_id), revision=None
    )
