"""Rounds of DPO: each trains the last policy on pairs of its own right and wrong solutions."""

from flows.loops.loop import open_loop
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.loops import DpoRoundsConfig


@flow(name="dpo_rounds", flow_run_name=name_run)
def dpo_rounds(config: DpoRoundsConfig, root: str, run_id: str | None = None) -> str:
    """Run the rounds; the folder of the best policy."""
    with open_loop(config, root, run_id) as loop:
        arm = loop.begin("dpo")
        control = loop.begin("sft") if config.with_control else None
        for number in loop.rounds(arm, config):
            loop.run_round(arm, number, config.builder, config.training)
            if control is not None:
                loop.run_round(control, number, config.control_builder, config.control_training)
        return loop.finish(arm)
