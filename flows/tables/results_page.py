"""The table of relations in a page such as RESULTS.md, and the measured rows beside it.

The store of past measurements is no part of the project, so the rows that count are kept as JSON
lines (`docs/results/relations.jsonl`), in the columns of the table `relations` without nulls. The
table stands in the page between two markers, and is never typed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path

from flows.tables.relations import markdown_lines, rows_that_count
from schemas.experiments import experiment_configs
from schemas.rows import RELATIONS, MeasuredRelation, to_table

BEGIN, END = "<!-- relations: begin -->", "<!-- relations: end -->"
"""What stands before and after the table."""
ROWS = "docs/results/relations.jsonl"
"""The rows, relative to the folder of the page."""
_DIGITS = 6


def publish(page: Path, measured: Iterable[MeasuredRelation]) -> int:
    """Add measured rows to those beside a page, and print the table of all into the page.

    Returns:
        The number of rows that count.

    Raises:
        ValueError: the page has no markers, or a line of the rows cannot be read.
    """
    place = page.parent / ROWS
    before, after = _around(page)
    known = read_rows(place) if place.is_file() else []
    rows = list(_in_order(rows_that_count([*known, *measured])))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(f"{_to_json(row)}\n" for row in rows), encoding="utf-8")
    # As they were written, rounded: the table is that of the file.
    page.write_text(f"{before}{printed(read_rows(place))}{after}", encoding="utf-8")
    return len(rows)


def printed(rows: Iterable[MeasuredRelation]) -> str:
    """The table with its markers."""
    return "\n".join([BEGIN, *markdown_lines(rows), END])


def table_of(page: Path) -> str:
    """The table of a page, with its markers.

    Raises:
        ValueError: the page has no markers.
    """
    before, after = _around(page)
    text = page.read_text(encoding="utf-8")
    return text[len(before) : len(text) - len(after)]


def read_rows(place: Path) -> list[MeasuredRelation]:
    """The rows of a file of JSON lines.

    Raises:
        ValueError: a line is no such row; it is named.
    """
    rows = []
    for number, line in enumerate(place.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(_from_json(line))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{place}, line {number}: expected a relation: {error}") from error
    return rows


def _around(page: Path) -> tuple[str, str]:
    """The text before and after the table."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page}: expected a table between the lines {BEGIN!r} and {END!r}")
    return before, after


def _in_order(
    rows: Mapping[tuple[str, str, str], Iterable[MeasuredRelation]],
) -> Iterable[MeasuredRelation]:
    """The rows of known relations of which both sides were measured, in the order of the table."""
    for config in experiment_configs().values():
        for relation in config().relations():
            for row in rows.get((config.name, relation.name, relation.point), ()):
                if row.difference is not None or row.said is not None:
                    yield row


def _to_json(row: MeasuredRelation) -> str:
    known = {
        name: round(value, _DIGITS) if isinstance(value, float) else value
        for name, value in asdict(row).items()
        if value is not None
    }
    known["created_at"] = row.created_at.isoformat(timespec="seconds")
    return json.dumps(known, ensure_ascii=False)


def _from_json(line: str) -> MeasuredRelation:
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError(f"got {values!r}")
    unknown = values.keys() - {field.name for field in fields(MeasuredRelation)}
    if unknown:
        raise ValueError(f"unknown columns {', '.join(sorted(unknown))}")
    values["created_at"] = datetime.fromisoformat(values["created_at"])
    row = MeasuredRelation(**values)
    to_table(RELATIONS, [row])  # every value fits its column
    return row
