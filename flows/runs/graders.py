"""The unit of the figures of a set's judges and ensembles as graders."""

from flows.runs.sets import problems_path, sampled_files, verdict_files
from schemas.evaluation import EvaluationConfig
from schemas.rows import METRICS, Metric
from schemas.unit_names import DigestName
from schemas.units import Stage, Unit
from storage import Store
from tasks.evaluation.task import evaluate_graders


def measure_graders(
    store: Store, run_id: str, set_name: str, config: EvaluationConfig
) -> list[Metric]:
    """How every judge and ensemble agrees with the other graders, measured unless it is there."""
    sampled = sampled_files(store, run_id, set_name)
    graded = verdict_files(store, run_id, sampled)
    inputs = (
        problems_path(run_id, set_name),
        *sampled,
        *(path for paths in graded.values() for path in paths),
    )
    unit = Unit(
        run_id=run_id,
        stage=Stage.EVALUATION,
        name=str(DigestName.derive(f"graders-{set_name}", config.config_hash(), *inputs)),
        table=METRICS.name,
        inputs=inputs,
    )
    if not store.has(unit):
        evaluate_graders(store.url, unit, config, set_name=set_name)
    return store.read(unit.path)
