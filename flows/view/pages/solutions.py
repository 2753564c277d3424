"""Solutions, rollouts, attempts: a table with a filter in SQL, facets, histograms, full text."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flows.view.listing import (
    PAGE_ROWS,
    Bar,
    Listing,
    Order,
    facets_statement,
    groups_of_runs,
    is_value,
    key_of,
    literal,
    narrow,
    page_statement,
    read_facets,
    reads_text,
)
from flows.view.pages.runs import FILES_OF_RUNS
from flows.view.site import View
from storage.viewing import Snapshot

_TIMEOUT_S = 20.0
LISTING = Listing(
    view="trajectory_list",
    columns=(
        "run_id",
        "trajectory_id",
        "problem_id",
        "level",
        "policy",
        "strategy",
        "role",
        "sample_index",
        "status",
        "is_right",
        "answer",
        "generated_tokens",
    ),
    key=("run_id", "trajectory_id"),
    orders={
        "id": Order("by id"),
        "problem": Order("by problem", "problem_id"),
        "longest": Order("longest first", "generated_tokens", falls=True),
        "shortest": Order("shortest first", "generated_tokens"),
        "newest": Order("newest first", "created_at", falls=True),
    },
    facets=(
        "is_right",
        "status",
        "level",
        "role",
        "split",
        "stage",
        "strategy",
        "policy",
        "run_id",
    ),
    measures=("generated_tokens",),
)
_BY_SCORE = {
    "highest": Order("highest score first", "last_score", falls=True),
    "lowest": Order("lowest score first", "last_score"),
}
_SCORES = ("min_score", "last_score")


def build(view: View) -> Mapping[str, Any]:
    """The page of a filter."""
    listing, extra = LISTING, ""
    if verifier := view.get("scores"):
        listing = replace(
            LISTING,
            columns=(*LISTING.columns, *_SCORES),
            orders=LISTING.orders | _BY_SCORE,
            measures=(*LISTING.measures, *_SCORES),
        )
        extra = (
            "\nleft join (\n    select run_id, trajectory_id, min_score, last_score\n"
            f"    from solution_scores\n    where verifier = {literal(verifier)}\n"
            ") as scores using (run_id, trajectory_id)"
        )
    snapshot = view.snapshot
    verifiers = snapshot.cached("verifiers", lambda: snapshot.rows(_VERIFIERS))
    return {
        **list_page(view, listing, extra, default=_default_filter(view)),
        "verifiers": [row["verifier"] for row in verifiers],
        "scores": verifier,
    }


_VERIFIERS = "select distinct verifier from step_scores order by verifier"


def _default_filter(view: View) -> str:
    where = "role is null"
    if run_id := view.get("run"):
        where = f"run_id = {literal(run_id)} and {where}"
    return where


def list_page(view: View, listing: Listing, extra: str, *, default: str) -> dict[str, Any]:
    """What the page of any listing shows.

    Args:
        view: the store and the query.
        listing: what is listed.
        extra: a join that provides further columns.
        default: the filter where the query has none.

    Raises:
        ValueError: the query's order or place does not exist, or the filter is no SQL condition.
    """
    where = view.get("where") if "where" in view.query else default
    if text := view.get("text"):
        where = narrow(where, f"contains(lower({listing.text}), lower({literal(text)}))")
    name = view.get("order") or "id"
    if name not in listing.orders:
        raise ValueError(f"expected order={', '.join(listing.orders)}, got {name!r}")
    order = listing.orders[name]
    after = _read_key(view.get("after"))
    statement = page_statement(listing, where, order, after, extra)
    if order.column is None and not re.search(r"\brun_id\b", where):
        rows = _rows_by_run(view.snapshot, listing, where, order, after, extra)
    else:
        rows = view.snapshot.rows(statement, timeout_s=_TIMEOUT_S)
    # To count what has certain words all texts are read, as often as a page of it is.
    is_counted = not reads_text(listing, where) or bool(view.get("counted"))
    total, values, bars = _count(view, listing, where, extra) if is_counted else (None, {}, {})
    last = rows[PAGE_ROWS - 1] if len(rows) > PAGE_ROWS else None
    return {
        "where": where,
        "order": name,
        "orders": {each: order.words for each, order in listing.orders.items()},
        "statement": statement,
        "shell": _command(view.site.root, statement),
        "rows": rows[:PAGE_ROWS],
        "total": total,
        "text": listing.text,
        "facets": _facets(values, where),
        "histograms": {
            name: _histogram(name, found, where) for name, found in bars.items() if found
        },
        "is_later": after is not None,
        "next": None if last is None else json.dumps(key_of(listing, order, last), default=str),
    }


def _rows_by_run(
    snapshot: Snapshot,
    listing: Listing,
    where: str,
    order: Order,
    after: Sequence[Any] | None,
    extra: str,
) -> list[dict[str, Any]]:
    """The rows that the statement of a page by id returns, without a look at all runs."""
    files = snapshot.cached("files", lambda: snapshot.rows(FILES_OF_RUNS))
    counts = [(row["run_id"], row["num_files"]) for row in files]
    rows: list[dict[str, Any]] = []
    for runs in groups_of_runs(counts, str(after[0]) if after else ""):
        statement = page_statement(listing, where, order, after, extra, runs=runs)
        rows += snapshot.rows(statement, timeout_s=_TIMEOUT_S)
        if len(rows) > PAGE_ROWS:
            break
    return rows


def _count(
    view: View, listing: Listing, where: str, extra: str
) -> tuple[int, dict[str, list[tuple[Any, int]]], dict[str, list[Bar]]]:
    counting = facets_statement(listing, where, extra)
    counted = view.snapshot.cached(
        counting, lambda: view.snapshot.rows(counting, timeout_s=_TIMEOUT_S)
    )
    return read_facets(listing, counted)


def _read_key(text: str) -> Sequence[Any] | None:
    if not text:
        return None
    try:
        key = json.loads(text)
    except ValueError:
        key = None
    if not isinstance(key, list) or any(isinstance(value, list | dict) for value in key):
        raise ValueError(
            "expected after= with the values of a row, as links to a next page have it"
        )
    return key


def _command(root: str, statement: str) -> str:
    """The statement as a command of the terminal."""
    return f"stepmill sql --root {shlex.quote(root)} {shlex.quote(statement)}"


def _facets(values: Mapping[str, Sequence[tuple[Any, int]]], where: str) -> dict[str, list[dict]]:
    """The values of each column that has several, each with the filter that keeps it alone."""
    return {
        column: [
            {"value": value, "num": num, "where": narrow(where, is_value(column, value))}
            for value, num in found
        ]
        for column, found in values.items()
        if len(found) > 1
    }


def _histogram(column: str, bars: Sequence[Any], where: str) -> list[dict[str, Any]]:
    """The bars, each with its height in [0, 1] and the filter that keeps its rows."""
    most = max(bar.num for bar in bars)
    return [
        {
            "low": bar.low,
            "high": bar.high,
            "num": bar.num,
            "height": bar.num / most,
            "where": narrow(where, _in_range(column, bar)),
        }
        for bar in bars
    ]


def _in_range(column: str, bar: Any) -> str:
    if column.endswith(("_score", "_rate")) and bar.high >= 1:
        return f"{column} >= {bar.low:g}"
    return f"{column} >= {bar.low:g} and {column} < {bar.high:g}"
