"""Units as Prefect tasks: submitted together, awaited together, those that are there left out."""

from collections.abc import Callable, Sequence
from typing import Any

from prefect import Task
from prefect.futures import as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.progress import stage_progress
from schemas.errors import StepmillError
from schemas.units import Receipt, Unit
from storage import Store
from tasks.engines.pool import EnginePool

_MOST_UNITS_AT_ONCE = 64


def unit_runner() -> Any:
    """Runs a flow's units on threads; each waits for an actor with room."""
    return ThreadPoolTaskRunner(max_workers=_MOST_UNITS_AT_ONCE)


class UnitsFailed(StepmillError):
    """Some units of a stage failed; the others are committed."""


def run_units(
    unit_task: Task[..., Receipt],
    units: Sequence[Unit],
    job: Any,
    *,
    store: Store,
    pool: EnginePool,
    total_rows: int,
    title: str,
) -> list[Receipt]:
    """Run a task per unit over a pool's actors; the receipts, in the order of the units.

    Args:
        unit_task: called with (pool, unit, job).
        units: what to do.
        job: the stage's config.
        store: where the files go.
        pool: the actors.
        total_rows: rows that all units together will have; 0 where nobody knows.
        title: what the progress line is called.

    Raises:
        UnitsFailed: some units failed; all others were finished first.
    """
    missing = [unit for unit in units if not store.has(unit)]
    receipts = {unit: store.receipt(unit) for unit in units if unit not in missing}
    if missing:
        rows_there = sum(receipt.num_rows for receipt in receipts.values())
        pool.start()
        before = pool.counters()

        def measure() -> tuple[int, int, int]:
            done = pool.counters()
            tokens = done.generated_tokens + done.scored_tokens
            tokens -= before.generated_tokens + before.scored_tokens
            return rows_there + max(done.rows - before.rows, 0), total_rows, max(tokens, 0)

        with stage_progress(title, measure):
            receipts |= _run(lambda unit: unit_task.submit(pool, unit, job), missing)
    return [receipts[unit] for unit in units]


def _run(submit: Callable[[Unit], Any], units: Sequence[Unit]) -> dict[Unit, Receipt]:
    unit_of = {submit(unit): unit for unit in units}
    receipts: dict[Unit, Receipt] = {}
    failures: list[str] = []
    for future in as_completed(list(unit_of)):
        outcome = future.result(raise_on_failure=False)
        if isinstance(outcome, Receipt):
            receipts[unit_of[future]] = outcome
        else:
            failures.append(f"{unit_of[future].path}: {type(outcome).__name__}: {outcome}")
    if failures:
        raise UnitsFailed(
            f"{len(failures)} of {len(units)} units failed; the others are committed, and a run "
            f"with the same run id does the rest. First: {failures[0]}"
        )
    return receipts
