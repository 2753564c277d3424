"""The problem that a row holds, by the columns that a config names."""

import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from schemas.problems import ColumnsConfig
from schemas.rows import Problem
from schemas.units import derive_id
from tasks.graders.extraction import gold_from_solution
from tasks.problems.row_files import BadRow, Row, shorten

_MAX_LEVEL_DIGITS = 9


def check_columns(there: Iterable[str], wanted: dict[str, str | None], source: str) -> None:
    """Refuse a column that no row has: a misspelt name, not a bad row.

    Args:
        there: the columns of all rows; if empty, nothing is refused.
        wanted: from a config's field to the column it names.
        source: what the rows are called in the error.

    Raises:
        ValueError: the message names the field, its column and the existing columns.
    """
    names = list(there)
    for field, column in wanted.items():
        if names and column is not None and column not in names:
            raise ValueError(f"{source}: {field} is {column!r}, but the columns are {_list(names)}")


def problem_columns(config: ColumnsConfig) -> dict[str, str | None]:
    """From each field that names a column to that column."""
    fields = ("question", "answer", "solution", "level", "subject", "check")
    columns = {f"{name}_column": getattr(config, f"{name}_column") for name in fields}
    columns |= {f"check_columns.{i}": name for i, name in enumerate(config.check_columns)}
    if config.check_column is not None or config.check_columns:
        del columns["answer_column"]  # rows with a check need no answer
    return columns


def to_problem(row: Row, index: int, config: ColumnsConfig, *, source: str, split: str) -> Problem:
    """The problem of a row.

    Args:
        row: of a file or a data set.
        index: its number from 0, part of the id.
        config: which columns hold what.
        source: what the `source` column says, part of the id.
        split: what the `split` column says.

    Raises:
        BadRow: it holds no question, or neither an answer nor a check.
    """
    if isinstance(row, BadRow):
        raise row
    question = _read_text(row, config.question_column)
    check = _read_check(row, config)
    is_checked = check is not None and row.get(config.answer_column) in (None, "")
    gold = "" if is_checked else _read_text(row, config.answer_column)
    is_plain = is_checked or config.gold_format == "plain"
    answer = gold if is_plain else _answer_of_solution(gold)
    solution = row.get(config.solution_column) if config.solution_column else None
    if solution is None and not is_plain:
        solution = gold
    subject = row.get(config.subject_column) if config.subject_column else None
    return Problem(
        problem_id=derive_id(source, index, question, answer, *([check] if check else [])),
        source=source,
        split=split,
        question=question,
        answer=answer,
        solution=None if solution is None else check_text(str(solution), "the solution"),
        level=_read_level(row.get(config.level_column)) if config.level_column else None,
        subject=None if subject is None else check_text(str(subject), "the subject"),
        check=check,
    )


def check_text(text: str, what: str) -> str:
    """The text, if it can be stored.

    Raises:
        BadRow: it holds half of a surrogate pair, which is no character.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRow(f"{what} holds half of a surrogate pair at character {error.start}") from error
    return text


def _read_text(row: dict[str, Any], column: str) -> str:
    """A required cell as text without white space around it."""
    value = row.get(column)
    if isinstance(value, BadRow):
        raise value
    if not isinstance(value, str | int | float | Decimal | None) or isinstance(value, bool):
        raise BadRow(f"expected text or a number in column {column!r}, got {shorten(value)}")
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise BadRow(f"expected a finite number in column {column!r}, got {value}")
    text = _plain_digits(value) if isinstance(value, Decimal) else str(value)
    if value is None or not text.strip():
        raise BadRow(f"expected text in column {column!r}, got {shorten(value)}")
    return check_text(text.strip(), f"column {column!r}")


def _plain_digits(value: Decimal) -> str:
    """A number of a column with a fixed number of decimals, without the zeros that this adds."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _read_check(row: dict[str, Any], config: ColumnsConfig) -> str | None:
    """What checks a row's solutions, as JSON text; None if the row has none."""
    if config.check_columns:
        column = ", ".join(config.check_columns)
        cells = {name: row[name] for name in config.check_columns if row.get(name) is not None}
        value = cells or None
    else:
        column, value = config.check_column, row.get(config.check_column or "")
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadRow(
            f"expected JSON in column {column!r}, got {shorten(value)} ({error})"
        ) from error
    return check_text(text, f"column {column!r}")


def _read_level(value: Any) -> int | None:
    """The first number in a level such as "Level 2"; None without one that is small."""
    match = re.search(r"\d+", str(value))
    return int(match[0]) if match and len(match[0]) <= _MAX_LEVEL_DIGITS else None


def _answer_of_solution(solution: str) -> str:
    """The gold answer that a reference solution marks."""
    answer = gold_from_solution(solution)
    if answer is None:
        raise BadRow(
            "expected a solution that marks its answer with '####', '\\boxed{' or 'Answer:', "
            f"got ...{solution[-60:]!r}"
        )
    return answer


def _list(names: list[str]) -> str:
    """Column names in words; odd ones in quotes, so that they can do nothing to a terminal."""
    return ", ".join(name if name.isprintable() else repr(name) for name in names)
