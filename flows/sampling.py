"""Sampling: N graded solutions per problem."""

from flows.problems import problems_of
from flows.runs.late_flow import flow
from flows.runs.recording import name_run, recorded_flow
from flows.runs.shares import say_rows
from flows.runs.units import run_on_engines, split_rows, unit_runner
from schemas.rows import TRAJECTORIES
from schemas.sampling import SamplingJob
from schemas.unit_names import SolutionsGroup, SolutionsName
from schemas.units import Stage, Unit
from storage.shares import count_rows
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.sampling.task import sample_unit


@flow(name="sampling", flow_run_name=name_run, task_runner=unit_runner())
def sample(job: SamplingJob, root: str, run_id: str | None = None) -> list[str]:
    """Sample and grade; the paths of the files of trajectories."""
    group = solutions_group(job)
    named = () if job.round is None else ("policy",)
    with recorded_flow(Stage.SAMPLING, job, root, run_id, part=str(group), named_by_part=named) as (
        store,
        run_id,
    ):
        path = problems_of(job, store, run_id)
        num_problems = store.num_rows(path)
        receipts = run_on_engines(
            sample_unit,
            sampling_units(job, group, run_id, path, num_problems),
            job,
            store=store,
            engines=EngineSet(policy=job.policy, separator=job.prompt.step_rule),
            pool=job.pool,
            total_rows=num_problems * job.sampling.num_samples,
            title=f"sample {group}",
        )
        paths = [receipt.path for receipt in receipts]
        say_rows(f"sample {group}", count_rows(store, paths), limit="sampling.max_tokens")
        return paths


def solutions_group(job: SamplingJob) -> SolutionsGroup:
    """What a job samples: the solutions of a set, or in a loop those of a round and a policy."""
    if job.round is None:
        return SolutionsGroup(job.set_name)
    return SolutionsGroup.of_round(job.set_name, job.round, identify_engine(job.policy))


def sampling_units(
    job: SamplingJob, group: SolutionsGroup, run_id: str, path: str, num_problems: int
) -> list[Unit]:
    """Ranges of problems of about `trajectories_per_unit` solutions each."""
    size = max(1, job.sampling.trajectories_per_unit // job.sampling.num_samples)
    return [
        Unit(
            run_id=run_id,
            stage=Stage.SAMPLING,
            name=str(SolutionsName(group, index)),
            table=TRAJECTORIES.name,
            inputs=(path,),
            rows=rows,
            seed=job.seed,
        )
        for index, rows in enumerate(split_rows(num_problems, size))
    ]
