"""The verifier-training stage's Prefect task: labelled solutions in, a registered model out."""

import json
import time
from collections.abc import Callable, Mapping

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.prm_training import PrmTrainingJob
from schemas.rows import Model, Problem, StepLabel, Trajectory, now
from schemas.units import Receipt, Unit
from storage import Store
from tasks.prm_training.examples import ExampleSet, build_examples, write_examples
from tasks.prm_training.train import train_verifier
from tasks.prompts.formats import make_prompt_format

OnProgress = Callable[[Mapping[str, float]], None]


@task(task_run_name="train {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def train_unit(root: str, unit: Unit, job: PrmTrainingJob, on_progress: OnProgress) -> Receipt:
    """Train a verifier on a run's labelled solutions and register it in `models`.

    The unit's inputs are files of problems, trajectories and step labels, in any order.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    examples = gather_examples(unit, job, store)
    with store.scratch() as folder:
        write_examples(folder / "examples.parquet", examples.examples)
        trained = train_verifier(
            job.training,
            folder / "examples.parquet",
            checkpoints_dir=folder,
            work_dir=folder / "ray",
            on_progress=on_progress,
        )
        store.put_folder(folder / trained.model_id, f"checkpoints/{trained.model_id}")
    model = Model(
        model_id=trained.model_id,
        role="verifier",
        path=f"checkpoints/{trained.model_id}",
        base=job.training.base_model,
        training_set=",".join(job.set_names),
        metrics=json.dumps({**trained.metrics, **trained.counts, "left_out": examples.left_out}),
        created_at=now(),
    )
    return store.commit(unit, [model], seconds=time.monotonic() - start)


def gather_examples(unit: Unit, job: PrmTrainingJob, store: Store) -> ExampleSet:
    """The examples that the unit's files hold.

    Raises:
        ValueError: there are labels of several methods, and the job names none of them.
    """

    def read(table: str) -> list:
        return [row for p in unit.inputs if p.startswith(f"{table}/") for row in store.read(p)]

    problems: list[Problem] = read("problems")
    trajectories: list[Trajectory] = read("trajectories")
    labels: list[StepLabel] = read("step_labels")
    methods = sorted({label.method for label in labels})
    if job.method is None and len(methods) > 1:
        raise ValueError(f"expected `method` to name the labels to use, one of {methods}")
    prompt_format = make_prompt_format(job.prompt, job.policy)
    return build_examples(
        problems=problems,
        trajectories=trajectories,
        step_labels=[label for label in labels if job.method in (None, label.method)],
        config=job.training,
        build_prompt=prompt_format.ask,
        has_chat_template=prompt_format.has_chat_template,
    )
