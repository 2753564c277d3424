"""V-StaR: the policy learns from right solutions, a ranking verifier from right and wrong ones."""

from flows.loops.loop import EVAL, Grown, open_loop
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.loops import VStarLoopConfig


@flow(name="v_star", flow_run_name=name_run)
def v_star(config: VStarLoopConfig, root: str, run_id: str | None = None) -> str:
    """Run the rounds and rank the last policy's solutions; the folder of the verifier."""
    with open_loop(config, root, run_id) as loop:
        arm = loop.begin("v_star")
        samples: list[Grown] = []
        for number in loop.rounds(arm, config):
            samples.append(loop.grow(number, arm.policy))
            built = loop.build(config.builder, samples)
            loop.improve(arm, f"{number}", samples, built, config.training, base=config.policy)
        pairs = loop.build(config.pairs, samples)
        verifier = loop.train(arm.policy, pairs, config.verifier_training, "v_star-verifier")
        verifier = verifier.with_fields(verifier="likelihood")
        loop.score(EVAL, arm.policy, verifier, samples[-1].number)
        loop.evaluate(arm.policy, verifier)
        loop.finish(arm)
        return verifier.model
