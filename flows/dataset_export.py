"""Training sets: a run's stored solutions, filtered and arranged for TRL."""

import json
import shlex

from flows.pages.artifacts import publish_table, to_key
from flows.runs.export_plan import input_files, plan_export
from flows.runs.late_flow import flow
from flows.runs.own_commands import as_typed
from flows.runs.progress import say, stage_progress
from flows.runs.recording import name_run, prefect_run_id, recorded_flow
from flows.runs.sets import look_for
from flows.runs.shares import say_set
from schemas.dataset_export import DatasetExportJob
from schemas.rows import TRAINING_SETS, TrainingSet
from schemas.units import Stage, Unit, derive_id
from storage import Store
from tasks.dataset_export.build import open_prompt_format
from tasks.dataset_export.figures import count_lines
from tasks.dataset_export.sources import ExportPlan, open_sources
from tasks.dataset_export.task import build_unit


@flow(name="dataset_export", flow_run_name=name_run)
def build_training_set(job: DatasetExportJob, root: str, run_id: str) -> str:
    """Build a set from the solutions of an existing run; the name of the set."""
    look_for(root, run_id, ())
    store, run_id = Store(root), run_id or prefect_run_id(Stage.DATASET_EXPORT)
    plan = plan_export(store, job, run_id)
    # Other solutions, labels, scores or verdicts make another set.
    digest = derive_id(plan.job.config_hash(), *input_files(store, plan))
    unit = Unit(
        run_id=run_id,
        stage=Stage.DATASET_EXPORT,
        name=f"{job.kind}-{digest[:12]}",
        table=TRAINING_SETS.name,
        inputs=plan.problem_files,
        seed=job.seed,
    )
    if not store.has(unit):
        open_prompt_format(plan.job)
        with open_sources(store, plan):
            pass  # mistakes in the job are found before anything is recorded
    with recorded_flow(Stage.DATASET_EXPORT, plan.job, root, run_id, part=unit.name) as (
        store,
        run_id,
    ):
        _build(store.url, unit, plan)
        (built,) = store.read(unit.path)
        _show(built, store)
        return unit.name


def _build(root: str, unit: Unit, plan: ExportPlan) -> None:
    num_rows = 0

    def on_progress(rows: int) -> None:
        nonlocal num_rows
        num_rows = rows

    with stage_progress(f"build {plan.job.kind}", lambda: (num_rows, 0, 0)):
        build_unit(root, unit, plan, on_progress)


def _show(built: TrainingSet, store: Store) -> None:
    """Show what was built, on the terminal and in Prefect's UI."""
    words = f"{built.name}: {built.num_rows:,} rows of the form {built.form}"
    command = f"stepmill export {built.name} --root {shlex.quote(store.url)} --to FOLDER"
    command = as_typed(command)
    say(f"{words} in {store.url}/{built.path}\nnext: {command}")
    say_set(f"build {built.kind}", json.loads(built.counts))
    rows = [
        {"what": what, "number": f"{number:,}"}
        for what, number in count_lines(json.loads(built.counts))
    ]
    key = to_key("training set", built.kind)
    publish_table(key, rows, f"{words}\n\nIn `{store.url}/{built.path}`:\n\n```\n{command}\n```")
