"""A Prefect task for any work on the actors of a pool."""

from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from schemas.units import Receipt, Unit
from tasks.engines.faults import RETRIES, RETRY_DELAYS_S, is_worth_retrying
from tasks.engines.host import Work
from tasks.engines.pool import EnginePool


def make_unit_task(work: Work, verb: str) -> Task[..., Receipt]:
    """The task that does this work for one unit; it is shown as the verb and the unit's name."""

    @task(
        task_run_name=f"{verb} {{unit.name}}",
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=RETRIES,
        retry_delay_seconds=RETRY_DELAYS_S,
        retry_condition_fn=is_worth_retrying,
    )
    def do_unit(pool: EnginePool, unit: Unit, job: Any) -> Receipt:
        """Do the unit's work on an actor with room."""
        return pool.run(unit, work, job)

    return do_unit
