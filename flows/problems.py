"""Problems into a run: from the built-in world, a hub data set, or a file."""

from prefect import flow

from flows.runs.progress import say
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import PROBLEMS_STAGE
from schemas.problems import ProblemsJob
from schemas.rows import PROBLEMS
from schemas.units import Unit
from tasks.problems.task import load_problem_set

_MAX_NOTES = 10


@flow(name="problems", flow_run_name=name_run)
def problems(job: ProblemsJob, root: str, run_id: str | None = None) -> str:
    """Load one set of problems; the path of its file in the store."""
    with recorded_flow("problems", job, root, run_id, part=job.set_name) as (store, run_id):
        unit = Unit(run_id=run_id, stage=PROBLEMS_STAGE, name=job.set_name, table=PROBLEMS.name)
        if not store.has(unit):
            notes = load_problem_set(store.url, unit, job.problems, job.grader)
            for note in notes[:_MAX_NOTES]:
                say(f"problems {job.set_name}: {note}")
            if len(notes) > _MAX_NOTES:
                more = len(notes) - _MAX_NOTES
                say(f"problems {job.set_name}: {more} more; the task's log has all")
        return unit.path
