"""Scoring: one verifier reads every step of a run's sampled solutions."""

from collections.abc import Sequence
from pathlib import PurePath

from prefect import flow

from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import (
    IMPORTS_STAGE,
    is_of_round,
    problems_path,
    round_group,
    sampled_files,
    scores_unit_name,
)
from flows.runs.units import run_units, unit_runner
from schemas.rows import STEP_SCORES
from schemas.scoring import ScoringJob
from schemas.units import Unit, derive_id
from storage import Store
from tasks.engines.host import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import open_pool
from tasks.scoring.task import score_unit

STAGE = "scoring"


@flow(name="scoring", flow_run_name=name_run, task_runner=unit_runner())
def score(job: ScoringJob, root: str, run_id: str | None = None) -> list[str]:
    """Score the set's solutions; the paths of the files of scores."""
    verifier = identify_engine(job.verifier)
    group, writer = job.set_name, identify_engine(job.policy)
    if job.round is not None:
        group = round_group(job.set_name, job.round, writer)
    part = f"{group}-{derive_id(verifier)}"
    with recorded_flow(STAGE, job, root, run_id, part=part, named_by_part=_named(job)) as run:
        store, run_id = run
        sampled = sampled_files(store, run_id, job.set_name)
        if job.round is not None:
            stems = {path: PurePath(path).stem for path in sampled}
            sampled = [p for p, stem in stems.items() if is_of_round(stem, [job.round], [writer])]
        units = [
            Unit(
                run_id=run_id,
                stage=STAGE,
                name=scores_unit_name(PurePath(path).stem, verifier),
                table=STEP_SCORES.name,
                inputs=(path, problems_path(run_id, job.set_name)),
            )
            for path in sampled
        ]
        engines = EngineSet(verifier=job.verifier, separator=job.prompt.separator)
        with open_pool(store.url, engines, job.pool) as pool:
            receipts = run_units(
                score_unit,
                units,
                job,
                store=store,
                pool=pool,
                total_rows=sum(map(store.num_rows, sampled)),
                title=f"score {job.set_name}",
            )
        return [receipt.path for receipt in receipts]


def _named(job: ScoringJob) -> tuple[str, ...]:
    """Fields that the part's name represents."""
    return ("verifier",) if job.round is None else ("verifier", "policy")


def score_files(store: Store, run_id: str, sampled: Sequence[str], verifier: str) -> list[str]:
    """The files of one verifier's scores of these units' solutions, imported scores among them.

    Units at which it failed are left out.

    Raises:
        ValueError: the verifier has scored none of them.
    """
    there = {
        PurePath(path).stem: path
        for stage in (STAGE, IMPORTS_STAGE)
        for path in store.files(STEP_SCORES.name, run_id=run_id, stage=stage)
    }
    names = [scores_unit_name(unit, verifier) for unit in sampled]
    found = [there[name] for name in names if name in there]
    if not found:
        raise ValueError(
            f"run {run_id}: verifier {verifier} has scored none of {', '.join(sampled)}: "
            "run the scoring flow first"
        )
    return found
