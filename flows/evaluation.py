"""Evaluation: every strategy on a run's stored solutions, as rows, tables and pictures."""

from collections.abc import Sequence

from flows.pages.critics import publish_critics
from flows.pages.pictures import draw_pictures
from flows.pages.results import publish_accuracies, publish_labels
from flows.runs.critics import measure_critics
from flows.runs.late_flow import flow
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import (
    label_files,
    problems_path,
    rollout_files,
    sampled_files,
    score_files,
    verdict_files,
)
from flows.runs.shares import say_measured
from flows.runs.stored import name_models
from flows.runs.truth import known_kinds
from flows.runs.verifier_labels import mix_by_labels
from schemas.evaluation import EvaluationJob
from schemas.rows import METRICS
from schemas.unit_names import DigestName
from schemas.units import Stage, Unit, UnitPath
from storage import Store
from tasks.evaluation.task import evaluate_label_set, evaluate_set


@flow(name="evaluation", flow_run_name=name_run)
def evaluate(job: EvaluationJob, root: str, run_id: str) -> str:
    """Measure a set's solutions without generating anything; the path of the metrics."""
    part = f"{job.set_name}-{job.config_hash()}"
    with recorded_flow(Stage.EVALUATION, job, root, run_id, part=part) as (store, run_id):
        all_files = sampled_files(store, run_id, job.set_name)
        job, sampled = name_models(store, run_id, job, all_files)
        job = mix_by_labels(store, job)
        scores, name = [], job.set_name
        if job.verifier_name is not None:
            scores = score_files(store, run_id, sampled, job.verifier_name)
            name = str(DigestName.derive(name, job.verifier_name))
        labels = label_files(store, run_id, job.set_name)
        verdicts = [path for of in verdict_files(store, run_id, sampled).values() for path in of]
        problems = problems_path(run_id, job.set_name)
        unit = _unit(run_id, name, job, (problems, *sampled, *scores, *labels, *verdicts))
        if not store.has(unit):
            evaluate_set(store.url, unit, job, known_kinds(store, problems))
        metrics = store.read(unit.path)
        say_measured(f"evaluate {job.set_name}", metrics)
        draw_pictures(store, run_id, metrics, job)
        publish_accuracies(store, run_id, metrics, set_name=job.set_name)
        critics = measure_critics(store, run_id, job.set_name, job.evaluation)
        publish_critics(store, run_id, critics, set_name=job.set_name)
        return unit.path


@flow(name="evaluation of labels", flow_run_name=name_run)
def evaluate_labels(
    job: EvaluationJob, root: str, run_id: str | None = None, set_name: str = "train"
) -> str:
    """Measure the step labels of a set, against the truth where it is known; the path."""
    job = job.with_fields(set_name=set_name, verifier=None, verifier_name=None)
    part = f"labels-{set_name}-{job.config_hash()}"
    with recorded_flow(Stage.EVALUATION, job, root, run_id, part=part) as (store, run_id):
        all_files = sampled_files(store, run_id, set_name)
        labels = label_files(store, run_id, set_name)
        if not labels:
            raise ValueError(f"run {run_id} has no step labels of the set {set_name!r}")
        job, sampled = name_models(store, run_id, job, all_files)
        problems = problems_path(run_id, set_name)
        rollouts = _labelled_rollouts(store, run_id, set_name, labels)
        unit = _unit(run_id, f"labels-{set_name}", job, (problems, *sampled, *labels, *rollouts))
        if not store.has(unit):
            evaluate_label_set(store.url, unit, job, known_kinds(store, problems))
        publish_labels(run_id, store.read(unit.path), set_name=set_name)
        return unit.path


def _labelled_rollouts(
    store: Store, run_id: str, set_name: str, labels: Sequence[str]
) -> list[str]:
    """The files of rollouts that have labels of their own, as the rollouts of trees do."""
    by_name = {UnitPath.parse(path).unit: path for path in rollout_files(store, run_id, set_name)}
    wanted = [path for path in labels if any("omega" in m for m in store.column(path, "method"))]
    names = [UnitPath.parse(path).unit for path in wanted]
    return [by_name[name] for name in names if name in by_name]


def _unit(run_id: str, name: str, job: EvaluationJob, inputs: tuple[str, ...]) -> Unit:
    """Another config, or other files to read, make another unit."""
    name = str(DigestName.derive(name, job.config_hash(), *inputs))
    return Unit(run_id=run_id, stage=Stage.EVALUATION, name=name, table=METRICS.name, inputs=inputs)
