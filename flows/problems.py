"""Problems into a run: from the built-in world, a hub data set, or a file."""

from prefect import flow

from flows.progress import say
from flows.sets import PROBLEMS_STAGE
from schemas.graders import GraderConfig
from schemas.problems import ProblemsConfig
from schemas.rows import PROBLEMS
from schemas.units import Unit
from storage import Store
from tasks.problems.task import load_problem_set

_MOST_NOTES = 10


@flow(name="problems")
def problems(
    config: ProblemsConfig,
    root: str,
    run_id: str,
    set_name: str = "eval",
    grader: GraderConfig | None = None,
) -> str:
    """Load one set of problems; the path of its file in the store."""
    unit = Unit(run_id=run_id, stage=PROBLEMS_STAGE, name=set_name, table=PROBLEMS.name)
    if not Store(root).has(unit):
        notes = load_problem_set(root, unit, config, grader)
        for note in notes[:_MOST_NOTES]:
            say(f"problems {set_name}: {note}")
        if len(notes) > _MOST_NOTES:
            say(f"problems {set_name}: {len(notes) - _MOST_NOTES} more; the task's log has all")
    return unit.path
