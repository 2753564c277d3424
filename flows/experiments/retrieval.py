"""The experiment `retrieval`: trees of thoughts over documents against simpler search."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.retrieval import RetrievalExperimentConfig


@flow(name="experiment_retrieval", flow_run_name=name_run)
def experiment_retrieval(
    config: RetrievalExperimentConfig, root: str, run_id: str | None = None
) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        for part in ("none", "few", "more", "many", "judged", "thoughts"):
            experiment.run(part, getattr(config, part))
        return experiment.conclude()
