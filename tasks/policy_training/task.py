"""The policy-training stage's Prefect task: a built set in, a registered policy and figures out."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.policy_training import PolicyTrainingJob
from schemas.rows import METRICS, Metric, Model, now
from schemas.units import Receipt, Unit
from storage import Store
from tasks.models.folders import load_tokenizer, resolve_model
from tasks.policy_training.sets import (
    TrainingSet,
    check_form,
    check_prompt,
    check_tokenizer,
    find_set,
)
from tasks.policy_training.train import TrainedPolicy, train_policy

OnProgress = Callable[[Mapping[str, float]], None]


def check_job(store: Store, job: PolicyTrainingJob) -> TrainingSet:
    """The set of a job, if the policy can be trained on it; asked before anything starts.

    Raises:
        ValueError: there is no such set, or it is of another form than the method takes.
        ModelUnusable: the policy cannot be read, or another tokenizer wrote the set.
    """
    training_set = find_set(store, job.training_set)
    check_form(training_set, job.method)
    check_prompt(training_set, job.prompt)
    tokenizer = load_tokenizer(resolve_model(job.policy.model, job.policy.revision))
    check_tokenizer(training_set, tokenizer, job.policy.model, store)
    return training_set


@task(task_run_name="train {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def train_policy_unit(
    root: str, unit: Unit, job: PolicyTrainingJob, on_progress: OnProgress
) -> Receipt:
    """Train a policy on a built set and register it in `models`, its curve in `metrics`.

    A training that was interrupted goes on from its last checkpoint, which is kept until the
    policy is registered; a training that diverged leaves it behind.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    training_set = check_job(store, job)
    work_dir = store.work_folder(f"{unit.run_id}/{unit.name}")
    with store.scratch() as folder:
        trained = train_policy(
            job,
            training_set.folder,
            checkpoints_dir=folder,
            work_dir=work_dir,
            on_progress=on_progress,
        )
        store.put_folder(Path(trained.path), f"checkpoints/{trained.model_id}")
    curve = replace(unit, table=METRICS.name)
    store.commit(curve, curve_rows(trained, training_set, job))
    model = Model(
        model_id=trained.model_id,
        role="policy",
        path=f"checkpoints/{trained.model_id}",
        base=job.policy.model,
        training_set=training_set.name,
        metrics=json.dumps(
            {**trained.metrics, **trained.counts, "config": job.model_dump(mode="json")}
        ),
        created_at=now(),
    )
    receipt = store.commit(unit, [model], seconds=time.monotonic() - start)
    shutil.rmtree(work_dir, ignore_errors=True)
    return receipt


def curve_rows(
    trained: TrainedPolicy, training_set: TrainingSet, job: PolicyTrainingJob
) -> list[Metric]:
    """A row per point of the training's curve and figure; `bin` says the step."""
    num_problems = training_set.count_problems()
    created_at = now()
    return [
        Metric(
            policy=trained.model_id,
            verifier=None,
            strategy=job.method.type,
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
