"""The experiment `score`: what refining gains, by which verifier decides what is refined."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.score import ScoreExperimentConfig


@flow(name="experiment_score", flow_run_name=name_run)
def experiment_score(config: ScoreExperimentConfig, root: str, run_id: str | None = None) -> str:
    """Run both loops and compare their verifiers; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("loop", config.loop)
        experiment.run("checked", config.checked)
        return experiment.conclude()
