"""The import stage's Prefect tasks: the problems of a file, and one chunk of its solutions."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from schemas.imports import ImportsJob
from schemas.rows import Trajectory
from schemas.units import Receipt, Unit
from storage import Store
from tasks.graders import Grader
from tasks.imports.grade import collect_scores, grade_rows
from tasks.imports.labels import collect_labels
from tasks.imports.rows import Chunk

Verdicts = Counter[bool | None]
"""How many solutions are right, wrong and ungraded (None)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFiles:
    """The files that a chunk becomes."""

    solutions: Unit
    scores: Unit | None
    """None where the source has no scores."""
    labels: Unit | None
    """None where the source has no step labels."""

    @property
    def units(self) -> list[Unit]:
        """All of them."""
        return [unit for unit in (self.solutions, self.scores, self.labels) if unit is not None]


@task(
    task_run_name="import the problems of {unit.name}", cache_policy=NO_CACHE, persist_result=False
)
def import_problems(root: str, unit: Unit, problems: pa.Table, notes: Sequence[str]) -> Receipt:
    """Store the problems of a file; the notes go into the log."""
    for note in notes:
        get_run_logger().warning("import %s: %s", unit.name, note)
    return Store(root).commit(unit, problems)


@task(task_run_name="import {files.solutions.name}", cache_policy=NO_CACHE, persist_result=False)
def import_chunk(
    root: str, files: ChunkFiles, chunk: Chunk, job: ImportsJob, grader: Grader
) -> Verdicts:
    """Grade and store one chunk's solutions, then scores and labels; how they were graded.

    Args:
        root: the store.
        files: what is written.
        chunk: the rows.
        job: how they become trajectories.
        grader: shared by all chunks, so that its processes start once.
    """
    store, unit = Store(root), files.solutions
    start = time.monotonic()
    if not store.has(unit):
        rows = asyncio.run(grade_rows(chunk.rows, unit, job, grader))
        store.commit(unit, rows, seconds=time.monotonic() - start)
    if files.scores is not None:
        store.commit(files.scores, collect_scores(chunk.rows, unit, job))
    if files.labels is not None:
        store.commit(files.labels, collect_labels(chunk.rows, unit, job))
    return count_verdicts(store, unit)


def count_verdicts(store: Store, unit: Unit) -> Verdicts:
    """How the solutions of a stored unit were graded."""
    rows: list[Trajectory] = store.read(unit.path)
    return Counter(row.correct for row in rows)
