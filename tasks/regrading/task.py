"""The regrading stage's Prefect tasks: the judgements and the verdicts on one file."""

import asyncio
import time
from collections import Counter

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.units import Unit
from storage import Store
from tasks.engines.task import unit_task
from tasks.regrading.judge import judge_trajectories
from tasks.regrading.regrade import Change, Regrader, count_changes

judge_unit = unit_task(
    judge_trajectories,
    name="judge_solutions",
    verb="judge",
    description="Have a model judge one unit's trajectories.",
)


@task(task_run_name="regrade {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def regrade_unit(root: str, unit: Unit, regrader: Regrader) -> Counter[Change]:
    """Write the verdicts on one file's trajectories; how they compare with those before."""
    store = Store(root)
    if not store.has(unit):
        start = time.monotonic()
        verdicts = asyncio.run(regrader.judge(unit))
        store.commit(unit, verdicts, seconds=time.monotonic() - start)
    return count_changes(store, unit)
