"""The sampling stage's Prefect task: one unit of problems."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.sampling import SamplingJob
from schemas.units import Receipt, Unit
from tasks.engines.faults import RETRIES, RETRY_DELAYS_S, is_worth_retrying
from tasks.engines.pool import EnginePool
from tasks.sampling.sample import sample_problems


@task(
    task_run_name="sample {unit.name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=is_worth_retrying,
)
def sample_unit(pool: EnginePool, unit: Unit, job: SamplingJob) -> Receipt:
    """Sample and grade the solutions of one unit's problems."""
    return pool.run(unit, sample_problems, job)
