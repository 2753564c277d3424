"""Rounds of DPO: pairs of the policy's own right and wrong solutions, from the last policy."""

from prefect import flow

from flows.loops.loop import open_loop
from flows.runs.recording import name_run
from schemas.loops import DpoRoundsConfig


@flow(name="dpo_rounds", flow_run_name=name_run)
def dpo_rounds(config: DpoRoundsConfig, root: str, run_id: str | None = None) -> str:
    """Run the rounds; the folder of the best policy."""
    with open_loop(config, root, run_id) as loop:
        arm = loop.begin("dpo")
        control = loop.begin("sft") if config.with_control else None
        for number in range(1, config.rounds + 1):
            grown = loop.grow(number, arm.policy)
            built = loop.build(config.builder, [grown])
            loop.improve(arm, f"{number}", [grown], built, config.training)
            if control is not None:
                grown = loop.grow(number, control.policy)
                built = loop.build(config.control_builder, [grown])
                loop.improve(control, f"{number}", [grown], built, config.control_training)
            if loop.is_over(arm, config.min_gain):
                break
        return loop.finish(arm)
