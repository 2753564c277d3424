"""The experiment `self_correction`: self-talk against other ways to correct oneself."""

from flows.experiments.critic_training import train_critic
from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.critiques import ModelCriticConfig
from schemas.experiments.self_correction import SelfCorrectionExperimentConfig


@flow(name="experiment_self_correction", flow_run_name=name_run)
def experiment_self_correction(
    config: SelfCorrectionExperimentConfig, root: str, run_id: str | None = None
) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("loop", config.loop)
        if not experiment.is_given("players"):
            critic = train_critic(experiment, config)
            player = ModelCriticConfig(engine=critic)
            experiment.run("players", config.players.with_fields(player=player))
        return experiment.conclude()
