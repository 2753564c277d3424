"""Problems into a run: from the built-in world, a hub data set, or a file."""

from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run, recorded_flow
from schemas.problems import ProblemsJob
from schemas.rows import PROBLEMS
from schemas.sampling import SamplingJob
from schemas.search import SearchJob
from schemas.units import Stage, Unit
from storage import Store
from tasks.problems.task import load_problem_set

_MAX_NOTES = 10


@flow(name="problems", flow_run_name=name_run)
def problems(job: ProblemsJob, root: str, run_id: str | None = None) -> str:
    """Load one set of problems; the path of its file in the store."""
    with recorded_flow(Stage.PROBLEMS, job, root, run_id, part=job.set_name) as (store, run_id):
        unit = Unit(run_id=run_id, stage=Stage.PROBLEMS, name=job.set_name, table=PROBLEMS.name)
        if not store.has(unit):
            notes = load_problem_set(store.url, unit, job.problems, job.grader)
            for note in notes[:_MAX_NOTES]:
                say(f"problems {job.set_name}: {note}")
            if len(notes) > _MAX_NOTES:
                more = len(notes) - _MAX_NOTES
                say(f"problems {job.set_name}: {more} more; the task's log has all")
        return unit.path


def problems_of(job: SamplingJob | SearchJob, store: Store, run_id: str) -> str:
    """The file of the problems of another stage's job, loaded first if the run lacks it."""
    wanted = ProblemsJob(problems=job.problems, set_name=job.set_name, grader=job.grader)
    return problems(wanted, store.url, run_id)
