"""The step-label stage's Prefect tasks: roll out one unit's prefixes, label one unit's steps."""

import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.step_labels import StepLabelsJob
from schemas.units import Receipt, Unit
from storage import Store
from tasks.engines.faults import RETRIES, RETRY_DELAYS_S, is_worth_retrying
from tasks.engines.pool import EnginePool
from tasks.step_labels.checker_labels import CheckSteps
from tasks.step_labels.units import label_unit, roll_out_unit


@task(
    task_run_name="roll out {unit.name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=is_worth_retrying,
)
def roll_out(pool: EnginePool, unit: Unit, job: StepLabelsJob) -> Receipt:
    """Finish the unit's solutions from their prefixes."""
    return pool.run(unit, roll_out_unit, job)


@task(
    task_run_name="label {unit.name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=is_worth_retrying,
)
def label(root: str, unit: Unit, job: StepLabelsJob, check: CheckSteps | None) -> Receipt:
    """Label the steps of the unit's solutions from its rollouts."""
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    rows = label_unit(unit, job, store, check)
    return store.commit(unit, rows, seconds=time.monotonic() - start)
