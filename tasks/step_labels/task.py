"""The step-label stage's Prefect tasks: roll out one unit's prefixes, label one unit's steps."""

import time

from prefect import task

from schemas.step_labels import StepLabelsJob
from schemas.units import Receipt, Unit
from storage import Store
from tasks.engines.task import unit_options, unit_task
from tasks.step_labels.checker_labels import CheckSteps
from tasks.step_labels.judge_labels import judge_unit
from tasks.step_labels.units import label_unit, roll_out_unit

roll_out = unit_task(
    roll_out_unit,
    name="roll_out",
    verb="roll out",
    description="Finish the unit's solutions from their prefixes.",
)

judge = unit_task(
    judge_unit,
    name="judge",
    verb="judge",
    description="Critique the unit's solutions for their labels.",
)


@task(**unit_options("label"))
def label(root: str, unit: Unit, job: StepLabelsJob, check: CheckSteps | None) -> Receipt:
    """Label the steps of the unit's solutions from what was drawn for them."""
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    rows = label_unit(unit, job, store, check)
    return store.commit(unit, rows, seconds=time.monotonic() - start)
