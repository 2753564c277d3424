"""Step labels: rollouts from every prefix or a judge's critiques, and the label of every step."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from flows.runs.labellings import labelling_part, later_type
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import problems_path, sampled_files
from flows.runs.shares import say_labels, say_rows
from flows.runs.truth import check_kinds, known_kinds
from flows.runs.units import run_here, run_on_engines, split_rows, unit_runner
from schemas.rows import CRITIQUES, STEP_LABELS, TRAJECTORIES
from schemas.step_labels import CheckerConfig, ConsensusConfig, StepLabelsJob, StoredLabelsConfig
from schemas.unit_names import LabelsName, SolutionsName
from schemas.units import Stage, Unit
from storage import Store
from storage.labels import label_methods
from storage.shares import count_labels, count_rows
from tasks.engines.engine_set import EngineSet
from tasks.evaluation.solutions.consensus import count_agreement
from tasks.step_labels.task import judge, label, roll_out


@flow(name="step_labels", flow_run_name=name_run, task_runner=unit_runner())
def label_steps(job: StepLabelsJob, root: str, run_id: str) -> list[str]:
    """Label the steps of a set's sampled solutions; the paths of the files of labels."""
    labels_type = later_type(root, run_id, job)
    part = labelling_part(job.set_name, labels_type)
    with recorded_flow(Stage.STEP_LABELS, job, root, run_id, part=part) as (store, run_id):
        _check_labeller(job, store, run_id)
        units = rollout_units(job, store, run_id, labels_type)
        if job.rollouts is not None:
            rolled = run_on_engines(
                roll_out,
                units,
                job,
                store=store,
                engines=EngineSet(policy=job.completer, separator=job.prompt.step_rule),
                pool=job.pool,
                title=f"roll out {job.set_name}",
            )
            committed = {receipt.path for receipt in rolled}
            rollouts = count_rows(store, sorted(committed))
            limit = "labels.max_rollout_tokens"
            say_rows(f"roll out {job.set_name}", rollouts, text="rollouts", limit=limit)
            units = [
                replace(unit, inputs=(*unit.inputs, unit.path))
                for unit in units
                if unit.path in committed
            ]
        if job.judge is not None:
            units = _judge(job, units, store)
        receipts = run_here(
            lambda unit: label(store.url, unit, job, _check),
            [replace(unit, table=STEP_LABELS.name) for unit in units],
            store=store,
            title=f"label {job.set_name}",
        )
        paths = [receipt.path for receipt in receipts]
        solutions = count_rows(store, sampled_files(store, run_id, job.set_name))
        say_rows(f"label {job.set_name}", solutions, limit="sampling.max_tokens")
        say_labels(f"label {job.set_name}", count_labels(store, paths))
        if isinstance(job.labels, ConsensusConfig):
            labels = [label for path in paths for label in store.read(path)]
            for agreement in count_agreement(labels):
                say(f"label {job.set_name}: {agreement}")
        return paths


def _judge(job: StepLabelsJob, units: Sequence[Unit], store: Store) -> Sequence[Unit]:
    """Have a judge write critiques; the units with these as their last input."""
    model: dict[str, Any] = {job.judge_role: (job.judge and job.judge.engine) or job.completer}
    to_judge = {
        unit.name: replace(unit, table=CRITIQUES.name, inputs=unit.inputs[:2]) for unit in units
    }
    judged = run_on_engines(
        judge,
        list(to_judge.values()),
        job,
        store=store,
        engines=EngineSet(**model, separator=job.prompt.step_rule),
        pool=job.pool,
        title=f"judge {job.set_name}",
    )
    committed = {receipt.path for receipt in judged}
    return [
        replace(unit, inputs=(*unit.inputs, to_judge[unit.name].path))
        for unit in units
        if to_judge[unit.name].path in committed
    ]


def rollout_units(
    job: StepLabelsJob, store: Store, run_id: str, labels_type: str = ""
) -> Sequence[Unit]:
    """Ranges of each file of the set's solutions.

    If labels depend on all solutions of a question, a range ends with the last one of a question.

    Args:
        job: the job.
        store: the store.
        run_id: the run.
        labels_type: see `LabelsName`.

    Raises:
        ValueError: the run has no such set.
    """
    sampled, size = sampled_files(store, run_id, job.set_name), job.trajectories_per_unit

    def ranges(path: str) -> list[tuple[int, int]]:
        if job.rollouts is None or not job.rollouts.needs_root:
            return split_rows(store.num_rows(path), size)
        return split_between(store.column(path, "problem_id"), size)

    return [
        Unit(
            run_id=run_id,
            stage=Stage.STEP_LABELS,
            name=str(LabelsName(SolutionsName.of(path), part, labels_type)),
            table=TRAJECTORIES.name,
            inputs=(path, problems_path(run_id, job.set_name)),
            rows=rows,
            seed=job.seed,
        )
        for path in sampled
        for part, rows in enumerate(ranges(path))
    ]


def split_between(groups: Sequence[str], size: int) -> list[tuple[int, int]]:
    """Half-open ranges of at least `size` rows that end where the group of the next row differs.

    Args:
        groups: [num_rows] the group of each row.
        size: rows after which a range ends as soon as it may.
    """
    ends = [place for place, (a, b) in enumerate(pairwise(groups), start=1) if a != b]
    ranges, start = [], 0
    for end in (*ends, len(groups)):
        if end - start >= size or (end == len(groups) and end > start):
            ranges.append((start, end))
            start = end
    return ranges


def _check_labeller(job: StepLabelsJob, store: Store, run_id: str) -> None:
    """Refuse a checker of other problems, and stored labels that do not exist, before any work.

    Raises:
        ValueError: says what was expected; for stored labels, names the methods that the run has.
    """
    labels = job.labels
    second = labels.second if isinstance(labels, ConsensusConfig) else labels
    if isinstance(second, CheckerConfig):
        if known_kinds(store, problems_path(run_id, job.set_name)) is None:
            raise ValueError(
                "labels: expected problems of the built-in world, which alone has an exact "
                f"checker, got others among the problems of {job.set_name!r} in run {run_id}"
            )
    elif isinstance(second, StoredLabelsConfig):
        run_id = second.run_id or run_id
        methods = label_methods(store, run_id)
        if second.method not in methods:
            raise ValueError(
                f"labels.second: expected step labels {second.method!r} in run {run_id}, "
                f"got {', '.join(methods) or 'no step labels'}"
            )


def _check(question: str, steps: Sequence[str]) -> Sequence[bool]:
    """The built-in world's exact verdict on each step."""
    return [kind == "ok" for kind in check_kinds(question, steps)]
