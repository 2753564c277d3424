"""Rows of JSONL and Parquet files, one at a time, and the problems that they hold.

A row that cannot be used is a `BadRow` that says why, not an error: one bad line does not stop a
file of millions. A file is read in pieces, so it may be larger than memory.
"""

import json
import re
import reprlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from schemas.problems import ColumnsConfig
from schemas.rows import Problem
from schemas.units import derive_id
from tasks.graders.extraction import gold_from_solution

_MAX_ROW_BYTES = 256 << 20
_BATCH_ROWS = 64
_READ_AHEAD_BYTES = 1 << 20
_MAX_LEVEL_DIGITS = 9
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BadRow(Exception):
    """Why a row cannot be used."""


Row = dict[str, Any] | BadRow
"""Columns and their values, or why the row cannot be used."""


def iterate_rows(path: Path, limit: int | None = None) -> Iterator[Row]:
    """The rows of a file in order; blank lines of JSONL are skipped.

    Args:
        path: a `.jsonl`, `.jsonl.gz` or `.json` file (a row a line), a `.json` file with one list
            of rows, which is read whole, or a `.parquet` file.
        limit: only the first rows; None for all.

    Raises:
        ValueError: the file does not exist, or is of another kind.
    """
    if not path.is_file():
        raise ValueError(f"expected a file at {path}, there is none")
    if path.suffix == ".parquet":
        yield from islice(_iterate_parquet(path), limit)
    elif path.suffixes[-2:] == [".jsonl", ".gz"]:
        yield from islice(_iterate_packed(path), limit)
    elif path.suffix in (".jsonl", ".json"):
        rows = _read_list(path) if path.suffix == ".json" else None
        if rows is not None:
            yield from islice(map(_check_object, rows), limit)
            return
        with path.open("rb") as stream:
            yield from islice(_iterate_lines(stream), limit)
    else:
        raise ValueError(f"expected a .jsonl, .jsonl.gz, .json or .parquet file, got {path}")


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


def shorten(value: object) -> str:
    """A value as a note shows it: its beginning, control characters escaped."""
    return reprlib.repr(value)


def _iterate_packed(path: Path) -> Iterator[Row]:
    import gzip
    import zlib

    try:
        with gzip.open(path) as stream:
            yield from _iterate_lines(cast(BinaryIO, stream))
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is not a gzip file, or is damaged: {error}") from error


def _iterate_lines(stream: BinaryIO) -> Iterator[Row]:
    is_first = True
    while line := stream.readline(_MAX_ROW_BYTES):
        if len(line) == _MAX_ROW_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(_MAX_ROW_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield BadRow(f"the line is longer than {_MAX_ROW_BYTES >> 20} MiB")
        else:
            line = line.removeprefix(_BYTE_ORDER_MARK) if is_first else line
            if line.strip():
                yield _parse_line(line)
        is_first = False


def _parse_line(line: bytes) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(f"not JSON: {error}")
    return _check_object(row)


def _check_object(row: Any) -> Row:
    return row if isinstance(row, dict) else BadRow(f"expected a JSON object, got {shorten(row)}")


def _read_list(path: Path) -> list[Any] | None:
    """The rows of a file that is one JSON list; None for any other file."""
    with path.open("rb") as stream:
        beginning = stream.read(_READ_AHEAD_BYTES).removeprefix(_BYTE_ORDER_MARK).lstrip()
        if not beginning.startswith(b"["):
            return None
        stream.seek(0)
        try:
            rows = json.loads(stream.read().removeprefix(_BYTE_ORDER_MARK))
        except (ValueError, RecursionError):
            return None
    return rows if isinstance(rows, list) else None


def _iterate_parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, buffer_size=_READ_AHEAD_BYTES) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                for index in range(batch.num_rows):
                    yield _to_row(batch.slice(index, 1))
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is not a Parquet file, or is damaged: {error}") from error


def _to_row(batch: Any) -> Row:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError as error:
        return BadRow(f"text that is not UTF-8: {error}")


def _read_text(row: dict[str, Any], column: str) -> str:
    """A required cell as text without white space around it."""
    value = row.get(column)
    if not isinstance(value, str | int | float | None) or isinstance(value, bool):
        raise BadRow(f"expected text or a number in column {column!r}, got {shorten(value)}")
    if value is None or not str(value).strip():
        raise BadRow(f"expected text in column {column!r}, got {shorten(value)}")
    return check_text(str(value).strip(), f"column {column!r}")


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
