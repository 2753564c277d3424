"""Regrading: new verdicts on a run's stored solutions, without sampling again."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from prefect import flow

from flows.runs.progress import stage_progress
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import STEP_LABELS_STAGE, problems_path, rolled_out, sampled_files
from flows.runs.verdicts import REGRADING_STAGE, grader_of, verdict_files, verdicts_unit_name
from schemas.regrading import RegradingJob
from schemas.rows import TRAJECTORIES, VERDICTS
from schemas.units import Unit
from storage import Store
from tasks.regrading.regrade import Change, Regrader
from tasks.regrading.task import regrade_unit


@flow(name="regrading", flow_run_name=name_run)
def regrade(job: RegradingJob, root: str, run_id: str | None = None) -> Counter[Change]:
    """Grade a set's solutions again; what the newest verdicts say against those before them."""
    part = f"{job.set_name}-{job.config_hash()}"
    with recorded_flow(REGRADING_STAGE, job, root, run_id, part=part) as (store, run_id):
        sampled = sampled_files(store, run_id, job.set_name)
        paths = [*sampled, *_rollout_files(store, run_id, job)]
        regrader = Regrader(store, job.grader)
        changes: Counter[Change] = Counter()
        units = regrading_units(store, run_id, paths, sampled, regrader.grader_id, job.set_name)
        total = sum(map(store.num_rows, paths))
        try:
            with stage_progress(
                f"regrade {job.set_name}", lambda: (changes.total(), total, 0), unit="verdicts"
            ):
                for unit in units:
                    changes += regrade_unit(store.url, unit, regrader)
        finally:
            regrader.close()
        return changes


def regrading_units(
    store: Store,
    run_id: str,
    paths: Sequence[str],
    sampled: Sequence[str],
    grader_id: str,
    set_name: str,
) -> list[Unit]:
    """A unit per file of trajectories: its newest one if this grader wrote it, else another.

    A file of rollouts is read together with the file of `sampled` solutions that they continue.
    """
    solutions = {PurePath(path).stem: path for path in sampled}
    units = []
    for path, earlier in verdict_files(store, run_id, paths).items():
        if earlier and grader_of(earlier[-1]) == grader_id:
            earlier = earlier[:-1]
        continued = solutions.get(rolled_out(PurePath(path).stem))
        units.append(
            Unit(
                run_id=run_id,
                stage=REGRADING_STAGE,
                name=verdicts_unit_name(PurePath(path).stem, len(earlier), grader_id),
                table=VERDICTS.name,
                inputs=(
                    path,
                    problems_path(run_id, set_name),
                    *([continued] if continued else []),
                    *earlier,
                ),
            )
        )
    return units


def _rollout_files(store: Store, run_id: str, job: RegradingJob) -> list[str]:
    """The files of the rollouts from the set's solutions, if they are to be graded too."""
    if not job.with_rollouts:
        return []
    prefix = f"{job.set_name}."
    return store.files(TRAJECTORIES.name, run_id=run_id, stage=STEP_LABELS_STAGE, prefix=prefix)
