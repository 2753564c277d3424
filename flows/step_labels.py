"""Step labels: rollouts from every prefix, and what they say of every step."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from prefect import flow

from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import (
    STEP_LABELS_STAGE,
    problems_path,
    rollouts_unit_name,
    sampled_files,
)
from flows.runs.truth import check_kinds
from flows.runs.units import run_here, run_units, unit_runner
from schemas.rows import STEP_LABELS, TRAJECTORIES
from schemas.step_labels import MonteCarloConfig, StepLabelsJob
from schemas.units import Unit
from storage import Store
from tasks.engines.host import EngineSet
from tasks.engines.pool import open_pool
from tasks.step_labels.task import label, roll_out


@flow(name="step_labels", flow_run_name=name_run, task_runner=unit_runner())
def label_steps(job: StepLabelsJob, root: str, run_id: str | None = None) -> list[str]:
    """Label the steps of a set's sampled solutions; the paths of the files of labels."""
    with recorded_flow("step_labels", job, root, run_id, part=job.set_name) as (store, run_id):
        units = rollout_units(job, store, run_id)
        if isinstance(job.labels, MonteCarloConfig):
            engines = EngineSet(policy=job.policy, separator=job.prompt.separator)
            with open_pool(store.url, engines, job.pool) as pool:
                title = f"roll out {job.set_name}"
                rolled = run_units(
                    roll_out, units, job, store=store, pool=pool, total_rows=0, title=title
                )
            there = {receipt.path for receipt in rolled}
            units = [
                replace(unit, inputs=(*unit.inputs, unit.path))
                for unit in units
                if unit.path in there
            ]
        receipts = run_here(
            lambda unit: label(store.url, unit, job, _check),
            [replace(unit, table=STEP_LABELS.name) for unit in units],
            store=store,
            title=f"label {job.set_name}",
        )
        return [receipt.path for receipt in receipts]


def rollout_units(job: StepLabelsJob, store: Store, run_id: str) -> Sequence[Unit]:
    """Ranges of each file of the set's solutions.

    Raises:
        ValueError: the run has no such set.
    """
    sampled = sampled_files(store, run_id, job.set_name)
    size = job.trajectories_per_unit
    return [
        Unit(
            run_id=run_id,
            stage=STEP_LABELS_STAGE,
            name=rollouts_unit_name(PurePath(path).stem, start // size),
            table=TRAJECTORIES.name,
            inputs=(path, problems_path(run_id, job.set_name)),
            rows=(start, min(start + size, store.num_rows(path))),
            seed=job.seed,
        )
        for path in sampled
        for start in range(0, store.num_rows(path), size)
    ]


def _check(question: str, steps: Sequence[str]) -> Sequence[bool]:
    """The built-in world's exact verdict on each step."""
    return [kind == "ok" for kind in check_kinds(question, steps)]
