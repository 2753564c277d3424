"""Sampling: N graded solutions per problem."""

from prefect import flow

from flows.problems import problems
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import SAMPLING_STAGE, round_group, unit_name
from flows.runs.units import run_units, unit_runner
from schemas.problems import ProblemsJob
from schemas.rows import TRAJECTORIES
from schemas.sampling import SamplingJob
from schemas.units import Unit
from tasks.engines.host import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import open_pool
from tasks.sampling.task import sample_unit


@flow(name="sampling", flow_run_name=name_run, task_runner=unit_runner())
def sample(job: SamplingJob, root: str, run_id: str | None = None) -> list[str]:
    """Sample and grade; the paths of the files of trajectories."""
    group = solutions_group(job)
    named = () if job.round is None else ("policy",)
    with recorded_flow("sampling", job, root, run_id, part=group, named_by_part=named) as (
        store,
        run_id,
    ):
        asked = ProblemsJob(problems=job.problems, set_name=job.set_name, grader=job.grader)
        path = problems(asked, store.url, run_id)
        units = sampling_units(job, run_id, path, store.num_rows(path))
        engines = EngineSet(policy=job.policy, separator=job.prompt.separator)
        with open_pool(store.url, engines, job.pool) as pool:
            receipts = run_units(
                sample_unit,
                units,
                job,
                store=store,
                pool=pool,
                total_rows=store.num_rows(path) * job.sampling.num_samples,
                title=f"sample {group}",
            )
        return [receipt.path for receipt in receipts]


def solutions_group(job: SamplingJob) -> str:
    """What begins the names of a job's units: the set, in a loop with the round and the policy."""
    if job.round is None:
        return job.set_name
    return round_group(job.set_name, job.round, identify_engine(job.policy))


def sampling_units(job: SamplingJob, run_id: str, path: str, num_problems: int) -> list[Unit]:
    """Ranges of problems of about `trajectories_per_unit` solutions each."""
    size = max(1, job.sampling.trajectories_per_unit // job.sampling.num_samples)
    group = solutions_group(job)
    return [
        Unit(
            run_id=run_id,
            stage=SAMPLING_STAGE,
            name=unit_name(group, index),
            table=TRAJECTORIES.name,
            inputs=(path,),
            rows=(start, min(start + size, num_problems)),
            seed=job.seed,
        )
        for index, start in enumerate(range(0, num_problems, size))
    ]
