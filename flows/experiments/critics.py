"""The experiment `critics`: a trained critic, the policy's own review, and no critique."""

from flows.experiments.critic_training import CRITICS, train_critic
from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.critiques import ModelCriticConfig
from schemas.experiments.critics import CriticsConfig


@flow(name="experiment_critics", flow_run_name=name_run)
def experiment_critics(config: CriticsConfig, root: str, run_id: str | None = None) -> str:
    """Train a critic and have both critics read held-out solutions; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        # Held-out problems are known before the critic's set is built, which may not touch them.
        experiment.run(CRITICS, config.held_out)
        critic = train_critic(experiment, config)
        for engine in (None, critic):
            job = config.critiqued.with_fields(critic=ModelCriticConfig(engine=engine))
            experiment.run(CRITICS, job)
        return experiment.conclude()
