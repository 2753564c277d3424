"""Scoring: one verifier reads every step of a run's sampled solutions."""

from flows.runs.late_flow import flow
from flows.runs.reading import reading_units
from flows.runs.recording import name_run, recorded_flow
from flows.runs.units import run_on_engines, unit_runner
from schemas.rows import STEP_SCORES
from schemas.scoring import ScoringJob
from schemas.unit_names import SolutionsGroup
from schemas.units import Stage, derive_id
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.scoring.task import score_unit


@flow(name="scoring", flow_run_name=name_run, task_runner=unit_runner())
def score(job: ScoringJob, root: str, run_id: str) -> list[str]:
    """Score the set's solutions; the paths of the files of scores."""
    verifier, group = identify_engine(job.verifier, "verifier"), SolutionsGroup(job.set_name)
    named = ("verifier",)
    if job.round is not None:
        group = SolutionsGroup.of_round(job.set_name, job.round, identify_engine(job.policy))
        named = ("verifier", "policy")
    part = f"{group}-{derive_id(verifier)}"
    with recorded_flow(Stage.SCORING, job, root, run_id, part=part, named_by_part=named) as run:
        store, run_id = run
        units = reading_units(
            store,
            run_id,
            set_name=job.set_name,
            group=None if job.round is None else group,
            reader=verifier,
            table=STEP_SCORES,
        )
        receipts = run_on_engines(
            score_unit,
            units,
            job,
            store=store,
            engines=EngineSet(verifier=job.verifier, separator=job.prompt.step_rule),
            pool=job.pool,
            total_rows=sum(store.num_rows(unit.inputs[0]) for unit in units),
            title=f"score {job.set_name}",
        )
        return [receipt.path for receipt in receipts]
