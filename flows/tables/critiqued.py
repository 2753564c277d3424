"""A solution, its critiques and the second attempts with them, side by side."""

from collections.abc import Sequence
from typing import Any

import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.tables.output import visible
from schemas.metric_names import RETRY
from storage.queries import ask

Row = dict[str, Any]
STYLES = {True: "green", False: "red", None: "yellow"}
"""The colour of a verdict."""
VERDICT_WORDS = {True: "right", False: "wrong", None: "ungraded"}
"""A verdict in a word."""
_MAX_SHOWN = 8


def find_critiqued(
    connection: duckdb.DuckDBPyConnection, name: str
) -> tuple[str, str, str | None] | None:
    """The id of a solution, its run, and the critique, of an id that begins like a critique's.

    Raises:
        ValueError: several critiques have ids that begin like this.
    """
    found = ask(connection, "critiques_by_id", id=name)
    if len(found) > 1:
        raise ValueError(
            f"expected one critique whose id begins with {name!r}, got several: "
            "`select critique_id from critiques` lists them"
        )
    if not found:
        return None
    return found[0]["trajectory_id"], found[0]["run_id"], found[0]["critique_id"]


def critiques_of(
    connection: duckdb.DuckDBPyConnection, row: Row, critique_id: str | None = None
) -> tuple[list[Row], list[Row]]:
    """The critiques of a solution and the second attempts at it.

    Args:
        connection: the store.
        row: the solution.
        critique_id: only this critique and what followed it; None for all, and the retries.
    """
    key = {"trajectory_id": row["trajectory_id"], "run_id": row["run_id"]}
    critiques = ask(connection, "critiques_of_trajectory", **key)
    attempts = ask(connection, "attempts_after_trajectory", **key)
    if critique_id is not None:
        critiques = [each for each in critiques if each["critique_id"] == critique_id]
        attempts = [each for each in attempts if each["critique_id"] == critique_id]
    return critiques, attempts


def print_critiqued(
    console: Console, row: Row, critiques: Sequence[Row], attempts: Sequence[Row]
) -> None:
    """Print a table per critique: solution, critique, second attempts; then one of the retries."""
    for critique in critiques[:_MAX_SHOWN]:
        after = [each for each in attempts if each["critique_id"] == critique["critique_id"]]
        table = _open(row)
        table.add_column(Text(visible(_critique_heading(critique))), overflow="fold")
        _add_attempts(table, after)
        table.add_row(
            _steps(row["steps"], critique["first_error"]),
            Text(visible(critique["text"].strip() or critique["fault"] or "")),
            *(_steps(each["steps"]) for each in after[:_MAX_SHOWN]),
        )
        console.print(table)
    if len(critiques) > _MAX_SHOWN:
        console.print(f"and {len(critiques) - _MAX_SHOWN:,} more critiques; --format json has all")
    if retries := [each for each in attempts if each["critique_id"] is None]:
        table = _open(row)
        _add_attempts(table, retries)
        shown = (_steps(each["steps"]) for each in retries[:_MAX_SHOWN])
        table.add_row(_steps(row["steps"]), *shown)
        console.print(table)


def _open(row: Row) -> Table:
    """A table with the solution's column."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column(_heading("solution", row), overflow="fold")
    return table


def _add_attempts(table: Table, attempts: Sequence[Row]) -> None:
    for each in attempts[:_MAX_SHOWN]:
        words = RETRY if each["critique_id"] is None else "second attempt"
        table.add_column(_heading(f"{words} {each['sample_index']}", each), overflow="fold")


def _heading(words: str, row: Row) -> Text:
    text = Text(f"{words}\n")
    answer = f", answer {visible(row['answer'])}" if row["answer"] is not None else ""
    text.append(f"{VERDICT_WORDS[row['correct']]}{answer}", style=STYLES[row["correct"]])
    return text


def _critique_heading(critique: Row) -> str:
    told = "" if critique["told"] == "nothing" else f" told {critique['told']}"
    said = {True: "right", False: "wrong", None: "no verdict"}[critique["verdict"]]
    index = critique["first_error"]
    where = "" if index is None else f", first error: step {index}"
    fault = "" if critique["fault"] is None else f"; {critique['fault']}"
    leaks = "; gives the answer away" if critique["leaks"] else ""
    return f"critique by {critique['critic']}{told}\n{said}{where}{fault}{leaks}"


def _steps(steps: Sequence[Row], marked: int | None = None) -> Text:
    """Steps with their indices; the marked one is red."""
    text = Text()
    for index, step in enumerate(steps):
        style = "red" if index == marked else ""
        text.append(f"{index} {visible(step['text'].rstrip())}\n", style=style)
    text.rstrip()
    return text
