"""The problems stage's Prefect task: one set of problems, loaded or generated."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from schemas.problems import ProblemsConfig
from schemas.units import Unit
from storage import Store
from tasks.problems.load import load_problems


@task(task_run_name="load problems {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def load_problem_set(root: str, unit: Unit, config: ProblemsConfig) -> list[str]:
    """Load a set of problems into the run; a note per row that cannot be used, or is odd."""
    problems, notes = load_problems(config)
    for note in notes:
        get_run_logger().warning("problems %s: %s", unit.name, note)
    Store(root).commit(unit, problems)
    return notes
