"""The import stage's Prefect tasks: the problems of a file, and one chunk of its solutions."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from schemas.imports import ImportsJob
from schemas.rows import Trajectory
from schemas.units import Receipt, Unit
from storage import Store
from tasks.graders import Grader
from tasks.imports.grade import collect_scores, grade_rows
from tasks.imports.read import Chunk

Verdicts = Counter[bool | None]
"""How many solutions are right, wrong and ungraded (None)."""


@task(
    task_run_name="import the problems of {unit.name}", cache_policy=NO_CACHE, persist_result=False
)
def import_problems(root: str, unit: Unit, problems: pa.Table, notes: Sequence[str]) -> Receipt:
    """Store the problems of a file; the notes go into the log."""
    for note in notes:
        get_run_logger().warning("import %s: %s", unit.name, note)
    return Store(root).commit(unit, problems)


@task(task_run_name="import {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def import_chunk(
    root: str, unit: Unit, scores_unit: Unit | None, chunk: Chunk, job: ImportsJob, grader: Grader
) -> Verdicts:
    """Grade and store one chunk's solutions, then their scores; how the solutions were graded.

    Args:
        root: the store.
        unit: the file of trajectories.
        scores_unit: the file of scores; None where the source has none.
        chunk: the rows.
        job: how they become trajectories.
        grader: shared by all chunks, so that its processes start once.
    """
    store = Store(root)
    start = time.monotonic()
    if not store.has(unit):
        rows = asyncio.run(grade_rows(chunk.rows, unit, job, grader))
        store.commit(unit, rows, seconds=time.monotonic() - start)
    if scores_unit is not None:
        store.commit(scores_unit, collect_scores(chunk.rows, unit, job))
    return count_verdicts(store, unit)


def count_verdicts(store: Store, unit: Unit) -> Verdicts:
    """How the solutions of a stored unit were graded."""
    rows: list[Trajectory] = store.read(unit.path)
    return Counter(row.correct for row in rows)
