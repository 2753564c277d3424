"""The experiment `labels`: the cost and the truth of cheaper step labels."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.labels import LabelsConfig


@flow(name="experiment_labels", flow_run_name=name_run)
def experiment_labels(config: LabelsConfig, root: str, run_id: str | None = None) -> str:
    """Label the same solutions in each part and compare; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        # A seed decides the solutions whatever the run, so that all parts label the same ones.
        for part, job in config.planned():
            experiment.run(part, job)
        for part in ("plain", "bisection"):
            if not experiment.is_given(part):
                experiment.measure_labels(part)
        return experiment.conclude()
