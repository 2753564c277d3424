"""Step labels: rollouts from every prefix, and the label of every step."""

from collections.abc import Sequence
from dataclasses import replace

from prefect import flow

from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import problems_path, sampled_files
from flows.runs.truth import check_kinds
from flows.runs.units import run_here, run_on_engines, split_rows, unit_runner
from schemas.rows import STEP_LABELS, TRAJECTORIES
from schemas.step_labels import MonteCarloConfig, StepLabelsJob
from schemas.unit_names import LabelsName, SolutionsName
from schemas.units import Stage, Unit
from storage import Store
from tasks.engines.engine_set import EngineSet
from tasks.step_labels.task import label, roll_out


@flow(name="step_labels", flow_run_name=name_run, task_runner=unit_runner())
def label_steps(job: StepLabelsJob, root: str, run_id: str | None = None) -> list[str]:
    """Label the steps of a set's sampled solutions; the paths of the files of labels."""
    with recorded_flow(Stage.STEP_LABELS, job, root, run_id, part=job.set_name) as (store, run_id):
        units = rollout_units(job, store, run_id)
        if isinstance(job.labels, MonteCarloConfig):
            rolled = run_on_engines(
                roll_out,
                units,
                job,
                store=store,
                engines=EngineSet(policy=job.policy, separator=job.prompt.step_rule),
                pool=job.pool,
                title=f"roll out {job.set_name}",
            )
            committed = {receipt.path for receipt in rolled}
            units = [
                replace(unit, inputs=(*unit.inputs, unit.path))
                for unit in units
                if unit.path in committed
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
    sampled, size = sampled_files(store, run_id, job.set_name), job.trajectories_per_unit
    return [
        Unit(
            run_id=run_id,
            stage=Stage.STEP_LABELS,
            name=str(LabelsName(SolutionsName.of(path), part)),
            table=TRAJECTORIES.name,
            inputs=(path, problems_path(run_id, job.set_name)),
            rows=rows,
            seed=job.seed,
        )
        for path in sampled
        for part, rows in enumerate(split_rows(store.num_rows(path), size))
    ]


def _check(question: str, steps: Sequence[str]) -> Sequence[bool]:
    """The built-in world's exact verdict on each step."""
    return [kind == "ok" for kind in check_kinds(question, steps)]
