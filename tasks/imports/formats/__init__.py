"""Public sets of step labels: one format per file, found by name or by the columns of its rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from schemas.imports import ImportsJob
from tasks.imports.formats import math_shepherd, prm800k, processbench, stepwise
from tasks.imports.formats.base import LabelledSolution
from tasks.problems.row_files import Row

FORMATS: dict[
    str,
    tuple[
        Callable[[dict[str, Any]], bool],
        Callable[[dict[str, Any], ImportsJob], Sequence[LabelledSolution]],
        str,
    ],
] = {
    "prm800k": (prm800k.matches, prm800k.read, "human"),
    "processbench": (processbench.matches, processbench.read, "human"),
    "math_shepherd": (math_shepherd.matches, math_shepherd.read, "math_shepherd"),
    "stepwise": (stepwise.matches, stepwise.read, "imported"),
}
"""Per format in `LabelFormat`: whether a row has its columns, its solutions, and whose labels."""

_MAX_LOOKED_AT = 100


def detect_format(rows: Iterable[Row], job: ImportsJob) -> str | None:
    """The format of the first row that has one's columns; None for rows of solutions."""
    for index, row in enumerate(rows):
        if index == _MAX_LOOKED_AT:
            break
        if not isinstance(row, dict):
            continue
        if job.responses_column in row:
            return None
        for name, (matches, _, _) in FORMATS.items():
            if matches(row):
                return name
    return None
