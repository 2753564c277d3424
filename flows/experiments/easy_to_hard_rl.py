"""The experiment `easy_to_hard_rl`: RL on hard problems by a verifier of easy ones."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.easy_to_hard_rl import EasyToHardRlConfig


@flow(name="experiment_easy_to_hard_rl", flow_run_name=name_run)
def experiment_easy_to_hard_rl(
    config: EasyToHardRlConfig, root: str, run_id: str | None = None
) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("loop", config.loop)
        return experiment.conclude()
