"""A unit as a Prefect task: named after what it does, never cached, retried after faults.

The store remembers which units are done, so Prefect caches and persists nothing. Retries are for
faults of the machinery alone (`tasks.engines.faults`).
"""

from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from schemas.units import Receipt, Unit
from tasks.engines.faults import RETRIES, RETRY_DELAYS_S, is_worth_retrying
from tasks.engines.host import Work
from tasks.engines.pool import EnginePool


def unit_options(verb: str) -> dict[str, Any]:
    """The options of a task over a `unit`; its runs are called `<verb> <name of the unit>`."""
    return {
        "task_run_name": f"{verb} {{unit.name}}",
        "cache_policy": NO_CACHE,
        "persist_result": False,
        "retries": RETRIES,
        "retry_delay_seconds": RETRY_DELAYS_S,
        "retry_condition_fn": is_worth_retrying,
    }


def unit_task(
    work: Work, *, name: str, verb: str, description: str
) -> Task[[EnginePool, Unit, Any], Receipt]:
    """The task that does a stage's work on an actor of a pool.

    Args:
        work: from a unit and the stage's config to the unit's rows.
        name: the task's name in Prefect.
        verb: begins the name of a run, see `unit_options`.
        description: the task's description in Prefect.
    """

    def run_unit(pool: EnginePool, unit: Unit, job: Any) -> Receipt:
        return pool.run(unit, work, job)

    run_unit.__qualname__ = name  # Prefect derives the task's key from it
    return task(name=name, description=description, **unit_options(verb))(run_unit)
