"""The scoring stage's Prefect task: one file of trajectories."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.scoring import ScoringJob
from schemas.units import Receipt, Unit
from tasks.engines.faults import RETRIES, RETRY_DELAYS_S, is_worth_retrying
from tasks.engines.pool import EnginePool
from tasks.scoring.score import score_trajectories


@task(
    task_run_name="score {unit.name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=is_worth_retrying,
)
def score_unit(pool: EnginePool, unit: Unit, job: ScoringJob) -> Receipt:
    """Score every step of one unit's trajectories."""
    return pool.run(unit, score_trajectories, job)
