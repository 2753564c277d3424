"""The training stages' Prefect task: a built set in, a registered model and its figures out."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.rows import METRICS, Metric, Model, now
from schemas.training.recipe import TrainingJob
from schemas.units import Receipt, Unit
from storage import Store
from tasks.models.files import count_parameters
from tasks.models.folders import load_tokenizer, resolve_model
from tasks.training.checks import check_models
from tasks.training.looks import Look, look_at
from tasks.training.sets import TrainingSet, check_tokenizer, find_set
from tasks.training.train import Trained, check_set, train_model

OnProgress = Callable[[Mapping[str, float]], None]


def check_job(store: Store, job: TrainingJob, set_name: str) -> TrainingSet:
    """The set of that name, checked before anything starts: the job's model can be trained on it.

    Raises:
        ValueError: the set does not exist, or is not of the form the method takes.
        ModelUnusable: the model cannot be read, another tokenizer wrote a policy's set, or a
            reference or a rewarding verifier does not fit the policy.
    """
    training_set = find_set(store, set_name)
    check_set(training_set, job)
    check_models(job)
    tokenizer = load_tokenizer(resolve_model(*job.base))
    if job.recipe.role == "policy":
        check_tokenizer(training_set, tokenizer, job.base[0], store)
    return training_set


def look_before(training_set: TrainingSet, job: TrainingJob) -> Look:
    """What a look at a checked set finds; see `tasks.training.looks`.

    Raises:
        NothingToLearn: no training can learn anything from it.
    """
    return look_at(training_set, job, load_tokenizer(resolve_model(*job.base)))


@task(task_run_name="train {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def train_unit(
    root: str,
    unit: Unit,
    job: TrainingJob,
    set_name: str,
    on_progress: OnProgress,
    looked: Look | None = None,
) -> Receipt:
    """Train a model on a built set and register it in `models`, its curve in `metrics`.

    What a look at the set found beforehand is part of the model's figures. A training that was
    interrupted resumes from its last checkpoint, which is kept until the model is registered, and
    stays if training diverged.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    training_set = check_job(store, job, set_name)
    work_dir = store.work_folder(f"{unit.run_id}/{unit.name}")
    with store.scratch() as folder:
        trained = train_model(
            job,
            training_set.folder,
            checkpoints_dir=folder,
            work_dir=work_dir,
            root=root,
            unit=unit,
            on_progress=on_progress,
        )
        num_parameters = count_parameters(Path(trained.path))
        store.put_folder(Path(trained.path), f"checkpoints/{trained.model_id}")
    curve = replace(unit, table=METRICS.name)
    store.commit(curve, curve_rows(trained, training_set, job))
    facts = {
        **({"warnings": looked.warnings, **looked.figures} if looked else {}),
        **trained.metrics,
        **trained.counts,
        "label_method": training_set.label_method,
        "config": job.model_dump(mode="json"),
    }
    model = Model(
        model_id=trained.model_id,
        role=job.made_role,
        path=f"checkpoints/{trained.model_id}",
        base=job.base[0],
        training_set=training_set.name,
        metrics=json.dumps(facts),
        created_at=now(),
        num_parameters=num_parameters,
    )
    receipt = store.commit(unit, [model], seconds=time.monotonic() - start)
    shutil.rmtree(work_dir, ignore_errors=True)
    return receipt


def curve_rows(trained: Trained, training_set: TrainingSet, job: TrainingJob) -> list[Metric]:
    """A row per figure and point of the training's curve; `bin` holds the step."""
    num_problems = training_set.count_problems()
    created_at = now()
    is_policy = job.recipe.role == "policy"
    return [
        Metric(
            policy=trained.model_id if is_policy else training_set.policy or job.base[0],
            verifier=None if is_policy else trained.model_id,
            strategy=job.recipe.method,
            budget=None,
            bin=f"step={point['step']:.0f}",
            metric=name,
            value=value,
            ci_low=None,
            ci_high=None,
            num_problems=num_problems,
            set_name=training_set.name,
            created_at=created_at,
        )
        for point in trained.curve
        for name, value in point.items()
        if name != "step"
    ]
