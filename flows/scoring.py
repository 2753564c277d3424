"""Scoring: one verifier reads every step of a run's sampled solutions."""

from collections.abc import Sequence
from pathlib import PurePath

from prefect import flow

from flows.sets import problems_path, sampled_files
from flows.units import run_units, unit_runner
from schemas.rows import STEP_SCORES
from schemas.scoring import ScoringJob
from schemas.units import Unit, derive_id
from storage import Store
from tasks.engines.host import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import open_pool
from tasks.scoring.task import score_unit

STAGE = "scoring"


@flow(name="scoring", task_runner=unit_runner())
def score(job: ScoringJob, root: str, run_id: str) -> list[str]:
    """Score the set's solutions; the paths of the files of scores."""
    store = Store(root)
    sampled = sampled_files(store, run_id, job.set_name)
    verifier = identify_engine(job.verifier)
    units = [
        Unit(
            run_id=run_id,
            stage=STAGE,
            name=_unit_name(PurePath(path).stem, verifier),
            table=STEP_SCORES.name,
            inputs=(path, problems_path(run_id, job.set_name)),
        )
        for path in sampled
    ]
    engines = EngineSet(verifier=job.verifier, separator=job.prompt.separator)
    with open_pool(root, engines, job.pool) as pool:
        run_units(
            score_unit,
            units,
            job,
            store=store,
            pool=pool,
            total_rows=sum(map(store.num_rows, sampled)),
            title=f"score {job.set_name}",
        )
    return [unit.path for unit in units]


def score_files(store: Store, run_id: str, sampled: Sequence[str], verifier: str) -> list[str]:
    """The files of one verifier's scores of these units' solutions.

    Raises:
        ValueError: the verifier has not scored one of them.
    """
    there = {
        PurePath(path).stem: path
        for path in store.files(STEP_SCORES.name, run_id=run_id, stage=STAGE)
    }
    missing = [name for name in sampled if _unit_name(name, verifier) not in there]
    if missing:
        raise ValueError(
            f"run {run_id}: verifier {verifier} has not scored {', '.join(missing)}: "
            "run the scoring flow first"
        )
    return [there[_unit_name(name, verifier)] for name in sampled]


def _unit_name(sampled: str, verifier: str) -> str:
    return f"{sampled}-{derive_id(verifier)}"
