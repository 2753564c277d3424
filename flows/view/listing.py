"""Tables with filters that are SQL: the statement of a page, its facets, and the page after it.

A page is asked for by the key of the row before it, never by a number of rows to skip, so that the
thousandth page costs what the first one does, and no table is ever loaded whole.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PAGE_ROWS = 50
_MAX_VALUES = 12
_FIRST_FILES, _GROWTH = 64, 4
"""A page by id is looked for in runs of so many files, then in those of so many times more."""
_OR = re.compile(r"\bor\b|--|/\*", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """An order of the rows: by a column, or by nothing but the key."""

    words: str
    column: str | None = None
    falls: bool = False


@dataclass(frozen=True)
class Listing:
    """A view that can be listed."""

    view: str
    columns: tuple[str, ...]
    """What a row of the page is made from; the key is among them."""
    key: tuple[str, ...]
    """Columns that tell rows apart."""
    orders: dict[str, Order]
    facets: tuple[str, ...]
    """Columns of few values, which are counted."""
    measures: tuple[str, ...] = ()
    """Columns of numbers, of which a histogram is shown."""
    text: str = "text"
    """The column that a search for words reads."""


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram: the half-open range of its values, and how many there are."""

    low: float
    high: float
    num: int


def literal(value: object) -> str:
    """A value in SQL."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def narrow(where: str, condition: str) -> str:
    """A filter with one more condition."""
    if not where:
        return condition
    return f"{f'({where})' if _OR.search(where) else where} and {condition}"


def is_value(column: str, value: object) -> str:
    """The condition that a column has a value."""
    return f"{column} is null" if value is None else f"{column} = {literal(value)}"


def reads_text(listing: Listing, where: str) -> bool:
    """Whether a filter reads the texts of all rows."""
    return re.search(rf"\b{listing.text}\b", where) is not None


def page_statement(
    listing: Listing,
    where: str,
    order: Order,
    after: Sequence[Any] | None,
    extra: str = "",
    *,
    runs: tuple[str, str] | None = None,
) -> str:
    """The statement of a page, with one row more than it shows.

    Args:
        listing: what is listed.
        where: the filter, in SQL; empty for all rows.
        order: the order of the rows.
        after: the values of the order's column, if it has one, and of the key in the last row of
            the page before; None for the first page.
        extra: a join that provides further columns.
        runs: the first and the last run, by name, whose rows are wanted; None for all.
    """
    conditions = [f"({where}\n)" if _OR.search(where) else where] if where else []
    if runs is not None:
        conditions.append(f"run_id between {literal(runs[0])} and {literal(runs[1])}")
    if order.column is not None:
        conditions.append(f"{order.column} is not null")
    if after is not None:
        conditions.append(_after(listing, order, after))
    names = [*listing.columns]
    if order.column is not None and order.column not in names:
        names.append(order.column)
    by = [f"{order.column}{' desc' if order.falls else ''}"] if order.column else []
    by += [name for name in listing.key if name != order.column]
    filters = "\n    and ".join(conditions)
    return (
        f"select {', '.join(names)}\n"
        f"from {listing.view}{extra}\n"
        f"{f'where {filters}{chr(10)}' if filters else ''}"
        f"order by {', '.join(by)}\n"
        f"limit {PAGE_ROWS + 1}"
    )


def groups_of_runs(files: Sequence[tuple[str, int]], after: str) -> list[tuple[str, str]]:
    """Ranges of runs to look for the rows of a page in, one after the other, each larger.

    Rows by id are those of the first runs, so that most pages need not look at all files.

    Args:
        files: the runs by name, with their numbers of files.
        after: runs with an earlier name are left out.

    Returns:
        The first and the last run of each range.
    """
    found: list[tuple[str, str]] = []
    wanted, held, first = _FIRST_FILES, 0, ""
    left = [each for each in files if each[0] >= after]
    for place, (name, num_files) in enumerate(left):
        first = first or name
        held += num_files
        if held >= wanted or place == len(left) - 1:
            found.append((first, name))
            wanted, held, first = wanted * _GROWTH, 0, ""
    return found


def key_of(listing: Listing, order: Order, row: dict[str, Any]) -> list[Any]:
    """What the page after the one that ends with this row is asked for by."""
    names = [order.column] if order.column else []
    return [row[name] for name in [*names, *(n for n in listing.key if n != order.column)]]


def facets_statement(listing: Listing, where: str, extra: str = "") -> str:
    """One pass over the rows that fit: how many have each value, and the histograms."""
    bins = [_bin(name) for name in listing.measures]
    names = [*listing.facets, *(f"bin_{n}" for n in range(len(bins)))]
    columns = [*listing.facets, *(f"{text} as bin_{n}" for n, text in enumerate(bins))]
    filters = f"where ({where}\n)" if where else ""
    # Rows that are alike are counted first: then only few are counted once for each column.
    return (
        f"with alike as (\n    select {', '.join(columns)}, count(*) as num\n"
        f"    from {listing.view}{extra} {filters}\n    group by all\n)\n"
        f"select {', '.join(names)}, grouping({', '.join(names)}) as which,\n"
        "    coalesce(sum(num), 0)::bigint as num\n"
        f"from alike group by grouping sets ((), {', '.join(f'({name})' for name in names)})"
    )


def read_facets(
    listing: Listing, rows: Sequence[dict[str, Any]]
) -> tuple[int, dict[str, list[tuple[Any, int]]], dict[str, list[Bar]]]:
    """The number of rows, the values of each facet with their numbers, and the histograms."""
    names = [*listing.facets, *(f"bin_{n}" for n in range(len(listing.measures)))]
    whole = (1 << len(names)) - 1
    total = next((row["num"] for row in rows if row["which"] == whole), 0)
    values: dict[str, list[tuple[Any, int]]] = {name: [] for name in listing.facets}
    bars: dict[str, dict[int, int]] = {name: {} for name in listing.measures}
    for row in rows:
        if row["which"] == whole:
            continue
        place = len(names) - (whole ^ row["which"]).bit_length()
        if place < len(listing.facets):
            name = listing.facets[place]
            values[name].append((row[name], row["num"]))
        elif (step := row[names[place]]) is not None:
            bars[listing.measures[place - len(listing.facets)]][step] = row["num"]
    for found in values.values():
        found.sort(key=lambda pair: (-pair[1], str(pair[0])))
        del found[_MAX_VALUES:]
    return total, values, {name: _bars(name, found) for name, found in bars.items()}


def _bars(measure: str, found: dict[int, int]) -> list[Bar]:
    """The bars from the first to the last that has rows, with those in between that have none."""
    if not found:
        return []
    steps = range(min(found), max(found) + 1)
    return [Bar(*_range(measure, step), found.get(step, 0)) for step in steps]


def _after(listing: Listing, order: Order, after: Sequence[Any]) -> str:
    """The condition that a row comes after the one with these values.

    Raises:
        ValueError: there are not as many values as the order has.
    """
    names = [name for name in listing.key if name != order.column]
    expected = len(names) + (order.column is not None)
    if len(after) != expected:
        raise ValueError(
            f"expected {expected} values after which the page begins, got {len(after)}"
        )
    rest = after if order.column is None else after[1:]
    later = f"({', '.join(names)}) > ({', '.join(map(literal, rest))})"
    if order.column is None:
        return later
    first, sign = literal(after[0]), "<" if order.falls else ">"
    return f"({order.column} {sign} {first} or ({order.column} = {first} and {later}))"


def _is_share(measure: str) -> bool:
    return measure.endswith(("_score", "_rate"))


def _bin(measure: str) -> str:
    """The number of a value's bar: tenths of a share, doublings of a count."""
    if _is_share(measure):
        return f"least(9, floor(10 * {measure}))::integer"
    return f"if({measure} < 1, -1, floor(log2({measure})))::integer"


def _range(measure: str, step: int) -> tuple[float, float]:
    if _is_share(measure):
        return step / 10, (step + 1) / 10
    return (0, 1) if step < 0 else (2**step, 2 ** (step + 1))
