"""The Prefect tasks of the evaluation stage, which compute metrics from a set's stored rows."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.graders import GraderConfig
from schemas.rows import Metric, Problem, StepLabel, StepScores, Trajectory, Verdict, now
from schemas.units import Receipt, Unit
from storage import Store
from tasks.evaluation.critics.attempts import Batch
from tasks.evaluation.critics.figures import critic_figures
from tasks.evaluation.graders import grader_figures
from tasks.evaluation.searches.bins import search_bins
from tasks.evaluation.searches.critique_figures import critique_figures, plain_curve
from tasks.evaluation.searches.figures import search_figures, solve_rates_of
from tasks.evaluation.searches.grid import Cell, build_grid, reference_candidates
from tasks.evaluation.solutions.candidates import build_candidates, drawn_rows
from tasks.evaluation.solutions.figures import solution_figures
from tasks.evaluation.solutions.first_errors import measure_first_errors
from tasks.evaluation.solutions.picks import measure_picks, measure_right_answers
from tasks.evaluation.solutions.truth import (
    Kinds,
    StepKinds,
    check_solutions,
    first_error,
    kinds_of_labels,
    measure_labels,
)
from tasks.evaluation.solutions.verifier_quality import CHECKER, measure_verifier
from tasks.graders import make_grader
from tasks.graders.verdicts import apply_verdicts
from tasks.steps.trees import whole_rows


@task(task_run_name="evaluate {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def evaluate_set(root: str, unit: Unit, job: EvaluationJob, kinds: Kinds | None = None) -> Receipt:
    """Measure every strategy on a set's stored solutions, and compare the scores with the truth.

    The unit's inputs are files of problems, trajectories, scores, step labels and verdicts, in any
    order. The job names the policy and the verifier as in the rows. `kinds` is the problems' exact
    checker, if they have one; without it, the step labels are taken as the truth.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    rows = _sign(measure_set(unit, job, store, kinds), job.set_name)
    return store.commit(unit, rows, seconds=time.monotonic() - start)


@task(task_run_name="evaluate {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def evaluate_label_set(
    root: str, unit: Unit, job: EvaluationJob, kinds: Kinds | None = None
) -> Receipt:
    """Measure the step labels of the job's set; inputs as for `evaluate_set`, without scores.

    Files of rollouts are inputs where rollouts have labels of their own.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    labels: list[StepLabel] = _read(store, unit, "step_labels")
    stored: list[Trajectory] = _read(store, unit, "trajectories")
    rolled = {row.trajectory_id for row in stored if row.role == "rollout"}
    trajectories = [row for row in stored if row.trajectory_id not in rolled]
    trajectories += whole_rows(rolled.intersection(x.trajectory_id for x in labels), stored)
    rows = measure_labels(
        trajectories,
        labels,
        check_solutions(_read(store, unit, "problems"), trajectories, kinds) if kinds else {},
        job.evaluation,
        policy=_policy_of(job),
    )
    return store.commit(unit, _sign(rows, job.set_name), seconds=time.monotonic() - start)


@task(task_run_name="evaluate {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def evaluate_searches(
    root: str,
    unit: Unit,
    config: EvaluationConfig,
    *,
    set_name: str,
    reference: Cell | None = None,
    seconds: Mapping[Cell, float] | None = None,
    grader: GraderConfig,
) -> Receipt:
    """Measure every search of a set.

    The unit's inputs are the file of problems, files of decisions, and the trees of the reference
    cell and of searches by critique. The reference's strategy is the baseline; without a reference
    no figures by difficulty are made. `seconds` is the actor time of each cell, `grader` says which
    answers are equal.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    problems: list[Problem] = _read(store, unit, "problems")
    trees: dict[Cell, list[Trajectory]] = {}
    for row in _read(store, unit, "trajectories"):
        trees.setdefault((row.strategy, row.budget or 0), []).append(row)
    plain = trees.pop(reference, []) if reference is not None else []
    grid = build_grid(problems, _read(store, unit, "decisions"))
    known = reference_candidates(problems, plain) if plain else ()
    rows = search_figures(
        grid,
        config,
        reference=known,
        baseline=None if reference is None else reference[0],
        seconds=seconds,
    )
    if trees:
        judge = make_grader(grader)
        try:
            curve = plain_curve(build_candidates(problems, plain, (), judge))
        finally:
            judge.close()
        bins = search_bins(grid, solve_rates_of(known), config)
        rows += critique_figures(grid, trees, curve, bins, config)
    return store.commit(unit, _sign(rows, set_name), seconds=time.monotonic() - start)


@task(task_run_name="evaluate {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def evaluate_critics(
    root: str,
    unit: Unit,
    config: EvaluationConfig,
    *,
    set_name: str,
    followed: Mapping[str, Sequence[str]],
    kinds: Kinds | None = None,
) -> Receipt:
    """Measure every critic that critiqued solutions of a set.

    The unit's inputs are files of problems, sampled solutions, step labels and verdicts, in any
    order, and those of `followed`: by file of critiques, the files of the second attempts that
    followed it. `kinds` is as for `evaluate_set`.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    verdicts: list[Verdict] = _read(store, unit, "verdicts")
    later = {path for paths in followed.values() for path in paths}
    sampled = [p for p in unit.inputs if p.startswith("trajectories/") and p not in later]
    solutions = apply_verdicts([row for path in sampled for row in store.read(path)], verdicts)
    problems: list[Problem] = _read(store, unit, "problems")
    truths = _truths_of_labels(_read(store, unit, "step_labels"))
    if kinds is not None:
        truths = {**truths, CHECKER: check_solutions(problems, solutions, kinds)}
    batches = [
        Batch(
            store.read(path),
            apply_verdicts([row for p in paths for row in store.read(p)], verdicts),
        )
        for path, paths in followed.items()
    ]
    rows = critic_figures(problems, solutions, batches, truths, config)
    return store.commit(unit, _sign(rows, set_name), seconds=time.monotonic() - start)


@task(task_run_name="evaluate {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def evaluate_graders(
    root: str, unit: Unit, config: EvaluationConfig, *, set_name: str, against: str | None = None
) -> Receipt:
    """Measure every judge and ensemble that graded solutions of a set.

    The unit's inputs are files of problems, sampled solutions and verdicts, in any order. `against`
    is how the names of the graders begin that they are measured against.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    rows = grader_figures(
        _read(store, unit, "problems"),
        _read(store, unit, "trajectories"),
        _read(store, unit, "verdicts"),
        config,
        against,
    )
    return store.commit(unit, _sign(rows, set_name), seconds=time.monotonic() - start)


def measure_set(
    unit: Unit, job: EvaluationJob, store: Store, kinds: Kinds | None = None
) -> list[Metric]:
    """The metrics of a set."""
    problems: list[Problem] = _read(store, unit, "problems")
    first_graded: list[Trajectory] = _read(store, unit, "trajectories")
    trajectories = apply_verdicts(first_graded, _read(store, unit, "verdicts"))
    scores: list[StepScores] = _read(store, unit, "step_scores")
    grader = make_grader(job.grader)
    try:
        candidates = build_candidates(problems, trajectories, scores, grader)
    finally:
        grader.close()
    policy, verifier, config = _policy_of(job), job.verifier_name, job.evaluation
    rows = solution_figures(candidates, config, policy=policy, verifier=verifier)
    truths = _truths_of_labels(_read(store, unit, "step_labels"))
    references = truths  # for scores; the checker alone where there is one
    if kinds is not None:
        truth = check_solutions(problems, trajectories, kinds)
        errors = _first_errors(problems, trajectories, truth)
        rows += measure_right_answers(candidates, errors, config, policy=policy)
        if verifier is not None:
            rows += measure_picks(candidates, errors, config, policy=policy, verifier=verifier)
        references = {CHECKER: truth}
        truths = {**truths, **references}
    if verifier is not None:
        names = {"policy": policy, "verifier": verifier}
        for name, truth in references.items():
            rows += measure_verifier(trajectories, scores, truth, config, reference=name, **names)
        for name, truth in truths.items():
            rows += measure_first_errors(
                problems, trajectories, scores, truth, config, reference=name, **names
            )
    return rows


def _truths_of_labels(labels: Sequence[StepLabel]) -> dict[str, StepKinds]:
    """The truth about each step according to each method of labels."""
    by_method: dict[str, list[StepLabel]] = {}
    for label in labels:
        by_method.setdefault(label.method, []).append(label)
    return {method: kinds_of_labels(by_method[method]) for method in sorted(by_method)}


def _policy_of(job: EvaluationJob) -> str:
    if job.policy_name is None:
        raise ValueError(f"set {job.set_name}: expected the policy's name, got none")
    return job.policy_name


def _sign(rows: Sequence[Metric], set_name: str) -> list[Metric]:
    """The figures, with the name of their set and the time of measurement."""
    measured_at = now()
    return [replace(row, set_name=set_name, created_at=measured_at) for row in rows]


def _read(store: Store, unit: Unit, table: str) -> list:
    """The rows of one table among the unit's inputs."""
    return [row for p in unit.inputs if p.startswith(f"{table}/") for row in store.read(p)]


def _first_errors(
    problems: Sequence[Problem], trajectories: Sequence[Trajectory], truth: StepKinds
) -> list[list[str]]:
    """[num_problems][num_drawn] the first error of each row, in the order of its candidate."""
    return [
        [first_error(truth[row.trajectory_id], is_correct=row.correct is True) for row in rows]
        for rows in drawn_rows(problems, trajectories).values()
    ]
