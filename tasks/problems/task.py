"""The problems stage's Prefect task: one set of problems, loaded or generated."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from schemas.graders import GraderConfig
from schemas.problems import ProblemsConfig
from schemas.rows import Problem
from schemas.units import Unit
from storage import Store
from tasks.graders import make_grader
from tasks.problems.load import load_problems


@task(task_run_name="load problems {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def load_problem_set(
    root: str, unit: Unit, config: ProblemsConfig, grader: GraderConfig | None
) -> list[str]:
    """Load a set of problems into the run; a note per row that cannot be used, or is odd.

    A problem whose gold answer the grader cannot judge by is kept; its solutions stay ungraded.
    """
    problems, notes = load_problems(config)
    if grader is not None:
        notes += find_unusable_golds(problems, grader)
    for note in notes:
        get_run_logger().warning("problems %s: %s", unit.name, note)
    Store(root).commit(unit, problems)
    return notes


def find_unusable_golds(problems: Sequence[Problem], config: GraderConfig) -> list[str]:
    """A note per gold answer that the grader cannot judge by."""
    grader = make_grader(config)
    try:
        found = [(problem, grader.check_gold(problem)) for problem in problems]
    finally:
        grader.close()
    return [f"problem {problem.problem_id} stays ungraded: {why}" for problem, why in found if why]
