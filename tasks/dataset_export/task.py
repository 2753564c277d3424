"""The training-set stage's Prefect task: from stored solutions to a set's folder and its row."""

import json
import time
from collections.abc import Callable

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.rows import TrainingSet, now
from schemas.units import Receipt, Unit
from storage import Store
from tasks.dataset_export.build import build_set
from tasks.dataset_export.sources import ExportPlan, open_sources


@task(task_run_name="build {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def build_unit(
    root: str, unit: Unit, plan: ExportPlan, on_progress: Callable[[int], None]
) -> Receipt:
    """Build a set and register it in `training_sets`; its name is the unit's."""
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    path = f"datasets/{unit.name}"
    with store.scratch() as folder:
        with open_sources(store, plan) as sources:
            built = build_set(
                store, plan, sources, name=unit.name, folder=folder, on_progress=on_progress
            )
        store.put_folder(folder / unit.name, path)
    row = TrainingSet(
        name=unit.name,
        kind=plan.job.kind,
        form=plan.job.form,
        path=path,
        num_rows=built.num_rows,
        policy=",".join(built.facts["policies"]),
        config=plan.job.model_dump_json(),
        counts=json.dumps(built.facts["counts"]),
        created_at=now(),
    )
    return store.commit(unit, [row], seconds=time.monotonic() - start)
