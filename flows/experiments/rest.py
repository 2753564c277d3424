"""The experiment `rest`: ReST against its control, and with thresholds that rise."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.rest import RestExperimentConfig


@flow(name="experiment_rest", flow_run_name=name_run)
def experiment_rest(config: RestExperimentConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("loop", config.loop)
        verifier = experiment.verifier_of("line", config.line, config.thresholds.verifier)
        experiment.run("thresholds", config.thresholds.with_fields(verifier=verifier))
        return experiment.conclude()
