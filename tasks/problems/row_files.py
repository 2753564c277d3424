"""Rows of JSON, JSONL and Parquet files, one at a time.

A row that cannot be used is a `BadRow` that says why, not an error: one bad line does not stop a
file of millions. A file is read in pieces, so it may be larger than memory, unless it is one JSON
list or object.
"""

import json
import reprlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from tasks.problems.numbers import shorten_floats

_MAX_ROW_BYTES = 256 << 20
_BATCH_ROWS = 64
_READ_AHEAD_BYTES = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BadRow(Exception):
    """Why a row cannot be used."""


Row = dict[str, Any] | BadRow
"""Columns and their values, or why the row cannot be used."""


def iterate_rows(path: Path, limit: int | None = None) -> Iterator[Row]:
    """The rows of a file in order; blank lines of JSONL are skipped.

    Args:
        path: a `.jsonl` or `.json` file with a row a line, or with one list of rows or one row over
            several lines, which is read whole; a `.jsonl.gz` with a row a line; or `.parquet`.
        limit: only the first rows; None for all.

    Raises:
        ValueError: the file does not exist, is of another kind, begins as a JSON list and is none,
            or has a column twice.
    """
    if not path.is_file():
        raise ValueError(f"expected a file at {path}, there is none")
    if path.suffix == ".parquet":
        yield from islice(_iterate_parquet(path), limit)
    elif path.suffixes[-2:] == [".jsonl", ".gz"]:
        yield from islice(_iterate_packed(path), limit)
    elif path.suffix in (".jsonl", ".json"):
        rows = _read_whole(path)
        if rows is not None:
            yield from islice(map(_check_object, rows), limit)
            return
        with path.open("rb") as stream:
            yield from islice(_iterate_lines(stream), limit)
    else:
        raise ValueError(f"expected a .jsonl, .jsonl.gz, .json or .parquet file, got {path}")


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
        row = _parse(line)
    except (ValueError, RecursionError) as error:
        return BadRow(f"not JSON: {error}")
    return _check_object(row)


def _parse(text: bytes) -> Any:
    return json.loads(text, object_pairs_hook=_to_object)


def _to_object(pairs: list[tuple[str, Any]]) -> Row:
    """A JSON object, unless it or one inside it has a name twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = ", ".join(n for n, count in Counter(n for n, _ in pairs).items() if count > 1)
        return BadRow(f"expected every column once, got more than one {shorten(twice)}")
    bad = (value for value in found.values() if isinstance(value, BadRow))
    return next(bad, found)


def _check_object(row: Any) -> Row:
    if isinstance(row, dict | BadRow):
        return row
    return BadRow(f"expected a JSON object, got {shorten(row)}")


def _read_whole(path: Path) -> list[Any] | None:
    """The rows of a file that is one JSON list or object; None for a file with a row a line.

    Raises:
        ValueError: it begins as a list and is none, and has no row a line either.
    """
    with path.open("rb") as stream:
        beginning = stream.read(_READ_AHEAD_BYTES).removeprefix(_BYTE_ORDER_MARK).lstrip()
        first, second = [*beginning.split(b"\n", 2), b""][:2]
        is_list = beginning.startswith(b"[")
        if not is_list and first.strip() != b"{":
            return None
        stream.seek(0)
        try:
            rows = _parse(stream.read().removeprefix(_BYTE_ORDER_MARK))
        except (ValueError, RecursionError) as error:
            if is_list and not _is_json(first) and not _is_json(second):
                raise ValueError(f"{path} begins as a JSON list, but is none: {error}") from error
            return None
    return rows if isinstance(rows, list) else [rows]


def _is_json(line: bytes) -> bool:
    try:
        _parse(line)
    except (ValueError, RecursionError):
        return False
    return True


def _iterate_parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, buffer_size=_READ_AHEAD_BYTES) as file:
            counts = Counter(file.schema_arrow.names)
            if twice := [name for name, count in counts.items() if count > 1]:
                raise ValueError(
                    f"{path}: expected every column once, got more than one {shorten(twice[0])}"
                )
            for batch in file.iter_batches(_BATCH_ROWS):
                batch = shorten_floats(batch)
                for index in range(batch.num_rows):
                    yield _to_row(batch.slice(index, 1))
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is not a Parquet file, or is damaged: {error}") from error


def _to_row(batch: Any) -> Row:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError as error:
        return BadRow(f"text that is not UTF-8: {error}")
