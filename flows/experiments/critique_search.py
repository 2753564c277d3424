"""The experiment `critique_search`: critiques at test time against plain votes."""

from flows.experiments.critic_training import train_critic
from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.engines import RoleConfig, VLLMConfig
from schemas.experiments.critique_search import CritiqueSearchConfig


@flow(name="experiment_critique_search", flow_run_name=name_run)
def experiment_critique_search(
    config: CritiqueSearchConfig, root: str, run_id: str | None = None
) -> str:
    """Search with both critics and without; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        critic = None if experiment.is_given("trained") else train_critic(experiment, config)
        critics: dict[str, VLLMConfig | None] = {"trained": critic, "own": None}
        for part, engine in critics.items():
            # The plain vote first: what is compared with is the largest one of the run.
            experiment.run(part, config.plain)
            roles = {} if engine is None else {"critic": RoleConfig(engine=engine)}
            for job in (config.critiqued, config.chains):
                experiment.run(part, job.with_fields(roles=roles))
        return experiment.conclude()
