"""Units as Prefect tasks: submitted together, awaited together; committed ones are skipped.

A unit that fails because of its own content is quarantined: its error becomes a row of `failures`,
the other units and the later stages continue without it, and a later run with the same run id tries
it again. An infrastructure fault, once its retries are used up, stops the run after the units that
could be finished.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prefect import Task
from prefect.context import TagsContext
from prefect.futures import as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.pages.units import publish_units
from flows.runs.progress import say, stage_progress
from schemas.errors import StepmillError
from schemas.pool import PoolConfig
from schemas.units import Receipt, Unit
from schemas.units import split_rows as split_rows
from storage import Store
from storage.failures import record_failure
from tasks.engines.engine_set import EngineSet
from tasks.engines.faults import is_infrastructure_fault
from tasks.engines.pool import EnginePool, open_pool

_MAX_UNITS_AT_ONCE = 64
_MAX_REPORTED = 3


def unit_runner() -> Any:
    """A task runner that runs units on threads; each waits for an actor with room."""
    return ThreadPoolTaskRunner(max_workers=_MAX_UNITS_AT_ONCE)


class UnitsFailed(StepmillError):
    """Units failed because of the infrastructure, or every unit of a stage by its content."""


def run_on_engines(
    unit_task: Task[..., Receipt],
    units: Sequence[Unit],
    job: Any,
    *,
    store: Store,
    engines: EngineSet,
    pool: PoolConfig,
    total_rows: int = 0,
    title: str,
) -> list[Receipt]:
    """`run_units` on actors with these engines, which end afterwards."""
    with open_pool(store.url, engines, pool) as actors:
        return run_units(
            unit_task,
            units,
            job,
            store=store,
            pool=actors,
            total_rows=total_rows,
            title=title,
        )


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
    """Run a task per unit on a pool's actors; the receipts of the committed units, in order.

    Args:
        unit_task: called with (pool, unit, job).
        units: the units to make.
        job: the stage's config.
        store: where the files go.
        pool: the actors.
        total_rows: rows of all units together; 0 if unknown.
        title: the label of the progress line.

    Raises:
        UnitsFailed: the infrastructure failed, or every unit was quarantined.
    """
    missing = store.missing(units)
    receipts = {unit: store.receipt(unit) for unit in set(units).difference(missing)}
    if missing:
        rows_there = sum(receipt.num_rows for receipt in receipts.values())
        outcomes: dict[Unit, Receipt | BaseException] = {}
        before = pool.counters()

        def measure() -> tuple[int, int, int]:
            done = pool.counters()
            tokens = done.generated_tokens + done.scored_tokens
            tokens -= before.generated_tokens + before.scored_tokens
            total = total_rows or _guess_rows(len(units), [*receipts.values(), *outcomes.values()])
            return rows_there + max(done.rows - before.rows, 0), total, max(tokens, 0)

        with stage_progress(title, measure) as clock:
            if not pool.is_open:
                with clock.opening(pool.words):
                    pool.start()
            with _untagged():
                futures = {unit_task.submit(pool, unit, job): unit for unit in missing}
            for future in as_completed(list(futures)):
                outcomes[futures[future]] = future.result(raise_on_failure=False)
        publish_units(title, store, {**receipts, **outcomes})
        receipts |= keep_receipts(store, outcomes, title)
    return [receipts[unit] for unit in units if unit in receipts]


def run_here(
    call: Callable[[Unit], Receipt], units: Iterable[Unit], *, store: Store, title: str
) -> list[Receipt]:
    """Run units one after another in this process; failures are treated as in `run_units`."""
    outcomes: dict[Unit, Receipt | BaseException] = {}
    for unit in units:
        try:
            outcomes[unit] = call(unit)
        except Exception as error:
            outcomes[unit] = error
            if is_infrastructure_fault(error):
                break
    publish_units(title, store, outcomes)
    return list(keep_receipts(store, outcomes, title).values())


def keep_receipts(
    store: Store, outcomes: Mapping[Unit, Receipt | BaseException], title: str
) -> dict[Unit, Receipt]:
    """The receipts among the outcomes; units that failed because of their content are quarantined.

    Raises:
        UnitsFailed: the infrastructure failed, or every unit was quarantined.
    """
    receipts = {u: outcome for u, outcome in outcomes.items() if isinstance(outcome, Receipt)}
    errors = {u: outcome for u, outcome in outcomes.items() if not isinstance(outcome, Receipt)}
    faults = {u: error for u, error in errors.items() if not _is_own(error)}
    own = {u: error for u, error in errors.items() if u not in faults}
    for unit, error in own.items():
        record_failure(store, unit, error)
    for line in _lines(own)[:_MAX_REPORTED]:
        say(f"{title}: quarantined {line}")
    if len(own) > _MAX_REPORTED:
        say(f"{title}: and {len(own) - _MAX_REPORTED} more: `select * from quarantined`")
    if faults:
        raise UnitsFailed(
            f"{len(faults)} of {len(outcomes)} units failed; the others are committed, and a run "
            f"with the same run id does the rest. First: {_lines(faults)[0]}"
        )
    if own and not receipts:
        raise UnitsFailed(f"{title}: every unit failed. First: {_lines(own)[0]}")
    return receipts


def _untagged() -> TagsContext:
    """Spares units the tags of their run.

    For each tag of a task Prefect asks its server for a slot and keeps it by renewing a lease, also
    where no limit exists; a server too busy to answer then ends the run.
    """
    return TagsContext(current_tags=set())


def _guess_rows(num_units: int, outcomes: Sequence[Receipt | BaseException]) -> int:
    """The rows of all units, estimated from the finished ones; 0 before the first has finished."""
    rows = [outcome.num_rows for outcome in outcomes if isinstance(outcome, Receipt)]
    return round(num_units * sum(rows) / len(rows)) if rows else 0


def _is_own(error: BaseException) -> bool:
    return isinstance(error, Exception) and not is_infrastructure_fault(error)


def _lines(errors: Mapping[Unit, BaseException]) -> list[str]:
    return [f"{u.path}: {type(error).__name__}: {error}" for u, error in errors.items()]
