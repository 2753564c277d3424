"""The experiment `reverse_curriculum_ppo`: start states from the end, against whole problems."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.reverse_curriculum_ppo import ReverseCurriculumPpoConfig


@flow(name="experiment_reverse_curriculum_ppo", flow_run_name=name_run)
def experiment_reverse_curriculum_ppo(
    config: ReverseCurriculumPpoConfig, root: str, run_id: str | None = None
) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("loop", config.loop)
        return experiment.conclude()
