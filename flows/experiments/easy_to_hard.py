"""The experiment `easy_to_hard`: training on easy problems, tested on hard ones."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.easy_to_hard import EasyToHardConfig


@flow(name="experiment_easy_to_hard", flow_run_name=name_run)
def experiment_easy_to_hard(config: EasyToHardConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        for part in ("easy", "full", "hard"):
            experiment.run(part, getattr(config, part))
        return experiment.conclude()
