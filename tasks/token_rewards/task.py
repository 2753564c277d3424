"""The token-rewards stage's Prefect task: one file of trajectories."""

import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.units import Receipt, Unit
from storage import Store
from tasks.token_rewards.crediting import Crediting


@task(task_run_name="reward {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def credit_unit(root: str, unit: Unit, crediting: Crediting) -> Receipt:
    """Write the rewards of the tokens of one file's solutions."""
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    rows = crediting.rows(store, unit)
    return store.commit(unit, rows, seconds=time.monotonic() - start)
