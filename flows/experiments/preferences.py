"""The experiment `preferences`: preference training against imitation."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.preferences import PreferencesConfig


@flow(name="experiment_preferences", flow_run_name=name_run)
def experiment_preferences(config: PreferencesConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("alone", config.alone)
        experiment.run("mixed", config.mixed)
        return experiment.conclude()
