"""ReST-EM: sample from the newest policy, train the first one on the right solutions."""

from flows.loops.loop import open_loop
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.loops import RestEmLoopConfig


@flow(name="rest_em", flow_run_name=name_run)
def rest_em(config: RestEmLoopConfig, root: str, run_id: str | None = None) -> str:
    """Run the rounds; the folder of the best policy."""
    with open_loop(config, root, run_id) as loop:
        arm = loop.begin("rest_em")
        control = loop.begin("unfiltered") if config.with_control else None
        base, method = config.policy, config.training
        for number in loop.rounds(arm, config):
            built = loop.run_round(arm, number, config.builder, method, base=base)
            if control is not None:
                grown = loop.grow(number, control.policy)
                built = loop.build_unfiltered(grown, loop.num_rows(built))
                loop.improve(control, f"{number}", [grown], built, method, base=base)
        return loop.finish(arm)
