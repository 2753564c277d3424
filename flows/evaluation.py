"""Evaluation: every strategy on a run's stored solutions, as rows, tables and pictures."""

from pathlib import PurePath

from prefect import flow

from flows.pictures import draw_pictures
from flows.scoring import score_files
from flows.sets import label_files, problems_path, sampled_files
from flows.truth import known_kinds
from schemas.evaluation import EvaluationJob
from schemas.rows import METRICS
from schemas.units import Unit, derive_id
from storage import Store
from tasks.engines.open import identify_engine
from tasks.evaluation.task import evaluate_label_set, evaluate_set

STAGE = "evaluation"


@flow(name="evaluation")
def evaluate(job: EvaluationJob, root: str, run_id: str) -> str:
    """Measure a set's solutions without generating anything; the path of the metrics."""
    store = Store(root)
    sampled = sampled_files(store, run_id, job.set_name)
    name, scores = job.set_name, []
    if job.verifier is not None:
        verifier = identify_engine(job.verifier)
        name = f"{name}-{derive_id(verifier)}"
        scores = score_files(store, run_id, [PurePath(path).stem for path in sampled], verifier)
    labels = label_files(store, run_id, job.set_name)
    problems = problems_path(run_id, job.set_name)
    unit = _unit(run_id, name, (problems, *sampled, *scores, *labels))
    if not store.has(unit):
        evaluate_set(root, unit, job, known_kinds(store, problems))
    draw_pictures(store, run_id, store.read(unit.path), job)
    return unit.path


@flow(name="evaluation of labels")
def evaluate_labels(job: EvaluationJob, root: str, run_id: str, set_name: str = "train") -> str:
    """Measure the step labels of a set, against the truth where it is known; the path."""
    store = Store(root)
    sampled, labels = sampled_files(store, run_id, set_name), label_files(store, run_id, set_name)
    if not labels:
        raise ValueError(f"run {run_id} has no step labels of the set {set_name!r}")
    problems = problems_path(run_id, set_name)
    unit = _unit(run_id, f"labels-{set_name}", (problems, *sampled, *labels))
    if not store.has(unit):
        evaluate_label_set(root, unit, job, known_kinds(store, problems))
    return unit.path


def _unit(run_id: str, name: str, inputs: tuple[str, ...]) -> Unit:
    return Unit(run_id=run_id, stage=STAGE, name=name, table=METRICS.name, inputs=inputs)
