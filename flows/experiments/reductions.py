"""The experiment `reductions`: `min` and `last` with hard and with soft labels."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.reductions import ReductionsConfig


@flow(name="experiment_reductions", flow_run_name=name_run)
def experiment_reductions(config: ReductionsConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        for labels, line in (("hard", config.hard), ("soft", config.soft)):
            verifier = experiment.verifier_of(labels, line, config.search.verifier)
            for reduction in ("min", "last"):
                score = config.search.score.with_fields(reduction=reduction)
                job = config.search.with_fields(verifier=verifier, score=score)
                experiment.run(f"{labels}_{reduction}", job)
        return experiment.conclude()
