"""The experiment `critique_in_the_loop`: self-improvement with a critic and without."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.critique_in_the_loop import CritiqueInTheLoopExperimentConfig


@flow(name="experiment_critique_in_the_loop", flow_run_name=name_run)
def experiment_critique_in_the_loop(
    config: CritiqueInTheLoopExperimentConfig, root: str, run_id: str | None = None
) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("loop", config.loop)
        return experiment.conclude()
