"""Evaluation: every strategy on a run's stored solutions, as rows, tables and pictures."""

from pathlib import PurePath

from prefect import flow

from flows import sampling
from flows.pictures import draw_pictures
from flows.scoring import score_files
from schemas.evaluation import EvaluationJob
from schemas.rows import METRICS, PROBLEMS, TRAJECTORIES
from schemas.units import Unit, derive_id
from storage import Store
from tasks.engines.open import identify_engine
from tasks.evaluation.task import evaluate_set

STAGE = "evaluation"


@flow(name="evaluation")
def evaluate(job: EvaluationJob, root: str, run_id: str) -> str:
    """Measure a set's solutions without generating anything; the path of the metrics."""
    store = Store(root)
    sampled = store.files(
        TRAJECTORIES.name, run_id=run_id, stage=sampling.STAGE, prefix=f"{job.set_name}-"
    )
    if not sampled:
        raise ValueError(f"run {run_id} has no sampled solutions of the set {job.set_name!r}")
    name, scores = job.set_name, []
    if job.verifier is not None:
        verifier = identify_engine(job.verifier)
        name = f"{name}-{derive_id(verifier)}"
        scores = score_files(store, run_id, [PurePath(path).stem for path in sampled], verifier)
    problems = f"{PROBLEMS.name}/run_id={run_id}/stage=problems/{job.set_name}.parquet"
    unit = Unit(
        run_id=run_id,
        stage=STAGE,
        name=name,
        table=METRICS.name,
        inputs=(problems, *sampled, *scores),
    )
    if not store.has(unit):
        evaluate_set(root, unit, job)
    draw_pictures(store, run_id, store.read(unit.path), job)
    return unit.path
