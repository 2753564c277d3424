"""What the command line prints on, and relations."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

import duckdb
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.tables.fitting import FittingConsole
from storage.queries import ask

_MAX_TABLE_ROWS = 200
_MAX_SKIPPED = 10
_MAX_RUNS = 5
_NO_TERMINAL_WIDTH = 10_000
_MAX_DECIMALS_BELOW = 1e12
_OBEYED = [*range(9), *range(11, 32), *range(127, 160)]  # all but tab and line feed
_TURNING = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {code: f"\\x{code:02x}" for code in _OBEYED}
_ESCAPES |= {code: f"\\u{code:04x}" for code in _TURNING}


def open_console() -> Console:
    """A console on standard output; unless that is a terminal, no line is broken or cut.

    In a terminal a table that is too wide is laid out anew, so that no number is cut.
    """
    console = FittingConsole()
    return console if console.is_terminal else FittingConsole(width=_NO_TERMINAL_WIDTH)


def open_catalog(root: str) -> duckdb.DuckDBPyConnection:
    """A store open for reading; files that are left out are named on standard error."""
    from storage import connect

    connection = connect(root)
    skipped = ask(connection, "skipped_files")
    for file in skipped[:_MAX_SKIPPED]:
        sys.stderr.write(f"left out: {visible(file['path'])}: {visible(file['reason'])}\n")
    if len(skipped) > _MAX_SKIPPED:
        sys.stderr.write(f"left out: {len(skipped) - _MAX_SKIPPED:,} more\n")
    if skipped:
        sys.stderr.write("`stepmill doctor --repair` moves them away, to be made again\n")
    return connection


def runs_words(connection: duckdb.DuckDBPyConnection) -> str:
    """Which runs a store has, for a message about one that it does not have."""
    found = ask(connection, "newest_runs", num_runs=_MAX_RUNS)
    names = ", ".join(row["run_id"] for row in found)
    return f"the store's newest runs are {names}" if names else "the store has no runs"


def visible(text: str) -> str:
    """A text in which control characters, which a terminal would obey, are written out."""
    return text.translate(_ESCAPES)


def write_relation(relation: duckdb.DuckDBPyRelation, output: str) -> None:
    """Write a relation to standard output as a table, CSV, JSON (an array) or Parquet.

    Raises:
        ValueError: the format is not one of these.
    """
    if output == "table":
        _print_table(relation)
    elif output == "csv":
        import pyarrow.csv

        pyarrow.csv.write_csv(_flat(relation.to_arrow_table()), sys.stdout.buffer)
    elif output == "json":
        rows = relation.to_arrow_table().to_pylist()
        sys.stdout.write(json.dumps(rows, default=_plain, ensure_ascii=False) + "\n")
    elif output == "parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(relation.to_arrow_table(), sys.stdout.buffer)
    else:
        raise ValueError(f"expected --format table, csv, json or parquet, got {output!r}")


def _print_table(relation: duckdb.DuckDBPyRelation) -> None:
    rows = relation.limit(_MAX_TABLE_ROWS + 1).fetchall()
    shown = rows[:_MAX_TABLE_ROWS]
    table = relation_table(relation.columns, shown)
    console = open_console()
    console.print(table)
    if any(isinstance(v, float) and cell_words(v) != str(v) for row in shown for v in row):
        console.print("rounded; --format csv or json has every digit", style="dim")
    if len(rows) > _MAX_TABLE_ROWS:
        console.print(f"the first {_MAX_TABLE_ROWS} rows; --format csv or json prints all")


def relation_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Rows under their columns' names, numbers on the right."""
    table = Table()
    for index, name in enumerate(names):
        values = [row[index] for row in rows if row[index] is not None]
        is_number = bool(values) and all(isinstance(v, int | float | Decimal) for v in values)
        is_number = is_number and not any(isinstance(v, bool) for v in values)
        justify = "right" if is_number else "left"
        table.add_column(Text(visible(name)), overflow="fold", justify=justify)
    for row in rows:
        table.add_row(*(Text(visible(cell_words(value))) for value in row))
    return table


def cell_words(value: Any) -> str:
    """A value of a row, a moment in whole seconds.

    A fraction has four significant digits, or above 1 four decimals.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if not isinstance(value, float) or not isfinite(value) or value.is_integer():
        return str(value)
    if 1 <= abs(value) < _MAX_DECIMALS_BELOW:
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return f"{value:.4g}"


def _flat(table: pa.Table) -> pa.Table:
    """Nested columns as JSON text, which CSV can hold."""
    for index, column in enumerate(table.schema):
        if pa.types.is_nested(column.type):
            texts = [json.dumps(v, default=_plain) for v in table.column(index).to_pylist()]
            table = table.set_column(index, column.name, pa.array(texts, pa.string()))
    return table


def _plain(value: object) -> int | float | str:
    """A value that JSON lacks: decimals (sums of integers are such) as numbers, others as text."""
    if isinstance(value, Decimal):
        whole = int(value)
        return whole if whole == value else float(value)
    return str(value)
