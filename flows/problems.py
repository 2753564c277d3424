"""Problems into a run: from the built-in world, a hub data set, or a file."""

from prefect import flow

from schemas.problems import ProblemsConfig
from schemas.rows import PROBLEMS
from schemas.units import Unit
from storage import Store
from tasks.problems.task import load_problem_set


@flow(name="problems")
def problems(config: ProblemsConfig, root: str, run_id: str, set_name: str = "eval") -> str:
    """Load one set of problems; the path of its file in the store."""
    unit = Unit(run_id=run_id, stage="problems", name=set_name, table=PROBLEMS.name)
    if not Store(root).has(unit):
        load_problem_set(root, unit, config)
    return unit.path
