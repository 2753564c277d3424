"""The regrading stage's Prefect task: one file of trajectories."""

import asyncio
import time
from collections import Counter

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.units import Unit
from storage import Store
from tasks.regrading.regrade import Change, Regrader, count_changes


@task(task_run_name="regrade {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def regrade_unit(root: str, unit: Unit, regrader: Regrader) -> Counter[Change]:
    """Write the verdicts on one file's trajectories; how they compare with those before."""
    store = Store(root)
    if not store.has(unit):
        start = time.monotonic()
        verdicts = asyncio.run(regrader.judge(unit))
        store.commit(unit, verdicts, seconds=time.monotonic() - start)
    return count_changes(store, unit)
