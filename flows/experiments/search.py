"""The experiment `search`: the sweep of strategies against sampling."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.search import SearchExperimentConfig


@flow(name="experiment_search", flow_run_name=name_run)
def experiment_search(config: SearchExperimentConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        verifier = experiment.verifier_of("line", config.line, config.sweep.verifier)
        experiment.run("sweep", config.sweep.with_fields(verifier=verifier))
        return experiment.conclude()
