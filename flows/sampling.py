"""Sampling: N graded solutions per problem."""

from prefect import flow

from flows.problems import problems
from flows.sets import SAMPLING_STAGE, unit_name
from flows.units import run_units, unit_runner
from schemas.rows import TRAJECTORIES
from schemas.sampling import SamplingJob
from schemas.units import Unit
from storage import Store
from tasks.engines.host import EngineSet
from tasks.engines.pool import open_pool
from tasks.sampling.task import sample_unit


@flow(name="sampling", task_runner=unit_runner())
def sample(job: SamplingJob, root: str, run_id: str) -> list[str]:
    """Sample and grade; the paths of the files of trajectories."""
    store = Store(root)
    path = problems(job.problems, root, run_id, job.set_name, job.grader)
    units = sampling_units(job, run_id, path, store.num_rows(path))
    engines = EngineSet(policy=job.policy, separator=job.prompt.separator)
    with open_pool(root, engines, job.pool) as pool:
        run_units(
            sample_unit,
            units,
            job,
            store=store,
            pool=pool,
            total_rows=store.num_rows(path) * job.sampling.num_samples,
            title=f"sample {job.set_name}",
        )
    return [unit.path for unit in units]


def sampling_units(job: SamplingJob, run_id: str, path: str, num_problems: int) -> list[Unit]:
    """Ranges of problems of about `trajectories_per_unit` solutions each."""
    size = max(1, job.sampling.trajectories_per_unit // job.sampling.num_samples)
    return [
        Unit(
            run_id=run_id,
            stage=SAMPLING_STAGE,
            name=unit_name(job.set_name, index),
            table=TRAJECTORIES.name,
            inputs=(path,),
            rows=(start, min(start + size, num_problems)),
            seed=job.seed,
        )
        for index, start in enumerate(range(0, num_problems, size))
    ]
