"""ReST: each round samples solutions, then trains the last policy on the best, in improve steps."""

from flows.loops.loop import open_loop
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.loops import RestLoopConfig
from schemas.policy_training import SftConfig


@flow(name="rest", flow_run_name=name_run)
def rest(config: RestLoopConfig, root: str, run_id: str | None = None) -> str:
    """Run the rounds; the folder of the best policy."""
    with open_loop(config, root, run_id) as loop:
        arm = loop.begin("rest")
        control = loop.begin("unfiltered") if config.with_control else None
        for number in loop.rounds(arm, config, config.improve_steps):
            grown = loop.grow(number, arm.policy, config.verifier)
            num_rows = 0
            for step in range(config.improve_steps):
                built = loop.build(config.builder.with_fields(improve_step=step), [grown])
                num_rows = max(num_rows, loop.num_rows(built))
                label = f"{number}.{step + 1}" if config.improve_steps > 1 else f"{number}"
                method = slower(config.training, config.rate_decay**step)
                loop.improve(arm, label, [grown], built, method)
            if control is not None:
                grown = loop.grow(number, control.policy)
                built = loop.build_unfiltered(grown, num_rows)
                loop.improve(control, f"{number}", [grown], built, config.training)
        return loop.finish(arm)


def slower(method: SftConfig, factor: float) -> SftConfig:
    """A method with its learning rates multiplied by a factor."""
    other = None if method.other_lr is None else method.other_lr * factor
    return method.with_fields(hidden_lr=method.hidden_lr * factor, other_lr=other)
