"""The pretraining stage's Prefect task: a policy of the built-in world from scratch."""

import json
import shutil
import time
from collections.abc import Callable

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.pretraining import PretrainingConfig
from schemas.rows import Model, now
from schemas.units import Receipt, Unit
from storage import Store
from tasks.models.files import count_parameters
from tasks.models.folders import identify_model
from tasks.pretraining.train import TrainingProgress, pretrain


@task(task_run_name="pretrain {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def pretrain_unit(
    root: str,
    unit: Unit,
    config: PretrainingConfig,
    on_progress: Callable[[TrainingProgress], None],
) -> Receipt:
    """Train a policy, save it as a checkpoint of the store and register it in `models`."""
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    work_dir = store.work_folder(f"{unit.run_id}/{unit.stage}-{unit.name}")
    with store.scratch() as scratch:
        folder = scratch / "policy"
        folder.mkdir()
        metrics = pretrain(config, folder, on_progress, work_dir)
        model_id = identify_model(str(folder))
        num_parameters = count_parameters(folder)
        store.put_folder(folder, f"checkpoints/{model_id}")
    model = Model(
        model_id=model_id,
        role="policy",
        path=f"checkpoints/{model_id}",
        base=None,
        training_set="simulated students of the built-in world",
        metrics=json.dumps(metrics),
        created_at=now(),
        num_parameters=num_parameters,
    )
    receipt = store.commit(unit, [model], seconds=time.monotonic() - start)
    shutil.rmtree(work_dir, ignore_errors=True)
    return receipt
