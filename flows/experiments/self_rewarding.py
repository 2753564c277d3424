"""The experiment `self_rewarding`: rounds of DPO by a policy's own judgement."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.self_rewarding import SelfRewardingExperimentConfig


@flow(name="experiment_self_rewarding", flow_run_name=name_run)
def experiment_self_rewarding(
    config: SelfRewardingExperimentConfig, root: str, run_id: str | None = None
) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("loop", config.loop)
        return experiment.conclude()
