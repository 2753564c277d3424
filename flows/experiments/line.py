"""The experiment `line`: labels against the truth, a verifier's picks against votes."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.line import LineConfig


@flow(name="experiment_line", flow_run_name=name_run)
def experiment_line(config: LineConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("line", config.line)
        return experiment.conclude()
