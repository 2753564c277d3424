"""The experiment `votes`: votes that stop early or count by confidence."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.votes import VotesConfig


@flow(name="experiment_votes", flow_run_name=name_run)
def experiment_votes(config: VotesConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("votes", config.votes)
        return experiment.conclude()
