"""The artifact of a stage: its units, with rows, tokens and seconds, and what failed."""

from collections.abc import Mapping

from flows.pages.artifacts import in_run, publish_table, to_key
from flows.pages.markdown import sql_block
from schemas.units import Receipt, Unit
from storage import Store

_MAX_UNITS = 200
_MAX_ERROR_LETTERS = 100


def publish_units(
    title: str, store: Store, outcomes: Mapping[Unit, Receipt | BaseException]
) -> None:
    """Show a stage's units: rows, tokens, seconds, and what failed.

    Args:
        title: what the stage's progress is called.
        store: where the rows lie.
        outcomes: the receipt of each unit, or what it failed with.
    """
    if not outcomes or not in_run():
        return
    receipts = {u: outcome for u, outcome in outcomes.items() if isinstance(outcome, Receipt)}
    slowest = sorted(receipts, key=lambda unit: -receipts[unit].seconds)
    rows = [_failed_row(unit, outcomes[unit]) for unit in outcomes if unit not in receipts]
    rows += [_unit_row(unit, receipts[unit]) for unit in slowest]
    words = f"{len(outcomes):,} units, {len(outcomes) - len(receipts):,} failed"
    if len(rows) > _MAX_UNITS:
        words += f"; shown are {_MAX_UNITS}, the failed and the slowest first"
    unit = next(iter(outcomes))
    folder = f"{store.url}/{unit.table}/run_id={unit.run_id}/stage={unit.stage}/"
    statement = f"""
select * from {unit.table}
where run_id = '{unit.run_id}' and stage = '{unit.stage}'
limit 10"""
    look = f"Run `{unit.run_id}`; its rows lie in `{folder}`:\n\n{sql_block(store, statement)}"
    publish_table(to_key("units", title), rows[:_MAX_UNITS], f"{words}\n\n{look}")


def _unit_row(unit: Unit, receipt: Receipt) -> dict[str, object]:
    tokens = receipt.generated_tokens + receipt.scored_tokens
    return {
        "unit": unit.name,
        "state": "done before" if receipt.was_there else "done",
        "rows": f"{receipt.num_rows:,}",
        "tokens": f"{tokens:,}",
        "seconds": f"{receipt.seconds:,.1f}",
        "tokens/s": f"{tokens / receipt.seconds:,.0f}" if receipt.seconds else "",
        "errors": f"{receipt.num_errors:,} rows" if receipt.num_errors else "",
    }


def _failed_row(unit: Unit, error: object) -> dict[str, object]:
    words = " ".join(f"{type(error).__name__}: {error}".split())
    if len(words) > _MAX_ERROR_LETTERS:
        words = f"{words[:_MAX_ERROR_LETTERS]}…"
    empty = dict.fromkeys(("rows", "tokens", "seconds", "tokens/s"), "")
    return {"unit": unit.name, "state": "failed", **empty, "errors": words}
