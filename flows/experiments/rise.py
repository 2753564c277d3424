"""The experiment `rise`: attempts that improve over turns."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.rise import RiseExperimentConfig


@flow(name="experiment_rise", flow_run_name=name_run)
def experiment_rise(config: RiseExperimentConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("loop", config.loop)
        return experiment.conclude()
