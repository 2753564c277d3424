"""The evaluation stage's Prefect task: a set's stored rows in, metrics and pictures out."""

import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.evaluation import EvaluationJob
from schemas.rows import Metric, Problem, StepScores, Trajectory
from schemas.units import Receipt, Unit
from storage import Store
from tasks.engines.open import identify_engine
from tasks.evaluation.candidates import build_candidates
from tasks.evaluation.report import evaluate
from tasks.graders import make_grader


@task(task_run_name="evaluate {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def evaluate_set(root: str, unit: Unit, job: EvaluationJob) -> Receipt:
    """Measure every strategy on a set's stored solutions.

    The unit's inputs are files of problems, trajectories and scores, in any order.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    rows = measure_set(unit, job, store)
    return store.commit(unit, rows, seconds=time.monotonic() - start)


def measure_set(unit: Unit, job: EvaluationJob, store: Store) -> list[Metric]:
    """The metrics of a set."""

    def read(table: str) -> list:
        return [row for p in unit.inputs if p.startswith(f"{table}/") for row in store.read(p)]

    problems: list[Problem] = read("problems")
    trajectories: list[Trajectory] = read("trajectories")
    scores: list[StepScores] = read("step_scores")
    grader = make_grader(job.grader)
    try:
        candidates = build_candidates(problems, trajectories, scores, grader)
    finally:
        grader.close()
    verifier = None if job.verifier is None else identify_engine(job.verifier)
    return evaluate(
        candidates, job.evaluation, policy=identify_engine(job.policy), verifier=verifier
    )
