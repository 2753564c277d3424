"""The experiment `revisions`: long chains of attempts against many short ones."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.revisions import RevisionsExperimentConfig


@flow(name="experiment_revisions", flow_run_name=name_run)
def experiment_revisions(
    config: RevisionsExperimentConfig, root: str, run_id: str | None = None
) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("chains", config.chains)
        return experiment.conclude()
