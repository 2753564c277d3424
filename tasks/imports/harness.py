"""Rows of lm-evaluation-harness's `--log_samples` as plain ones.

A row holds the problem as it came in `doc`, the gold answer also in `target`, and in `resps` a list
per request with the texts that were drawn for it. The plain row has the columns of `doc` and of the
row itself, and the texts in `responses`. A task with several filters writes each of its rows once
for each; of these, the first one's are taken.
"""

from typing import Any

from schemas.imports import ImportsJob
from tasks.problems.row_files import BadRow, Row, shorten

_DOC, _TEXTS, _FILTERED = "doc", "resps", "filtered_resps"


class HarnessRows:
    """Makes rows plain, one after another, and remembers which problems it has seen."""

    def __init__(self, job: ImportsJob) -> None:
        self._column = job.responses_column
        self._filters: dict[tuple[str, str], str] = {}

    def columns(self, row: Row) -> list[str]:
        """The columns that a job may name, whether or not the row can be used."""
        if isinstance(row, BadRow):
            return []
        return [*row, *row[_DOC], self._column] if self._is_nested(row) else [*row]

    def plain(self, row: Row) -> Row:
        """The row, without its nesting if it is one of the harness.

        Rows from which the job's column of solutions can be read as it is do not change.

        Raises:
            BadRow: its texts are not those of one request, or came before under another filter.
        """
        if isinstance(row, BadRow) or not self._is_nested(row):
            return row
        doc, number = row[_DOC], f"{row.get('doc_hash')}/{row.get('doc_id')}"
        name = str(row.get("filter"))
        first = self._filters.setdefault((number, shorten(doc)), name)
        if name != first:
            raise BadRow(f"it repeats the solutions of filter {first!r} for filter {name!r}")
        return {**doc, **row, self._column: _texts(row[_TEXTS])}

    def _is_nested(self, row: dict[str, Any]) -> bool:
        is_one = {_DOC, _TEXTS, _FILTERED} <= row.keys() and isinstance(row[_DOC], dict)
        return is_one and (self._column == _TEXTS or self._column not in row)


def _texts(given: Any) -> list[Any]:
    """The texts of the only request."""
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], list):
        num = len(given) if isinstance(given, list) else shorten(given)
        raise BadRow(f"expected the texts of one request in column {_TEXTS!r}, got {num}")
    return given[0]
