"""Stepwise sets as TRL reads them: `prompt`, `completions` (a list of steps) and `labels`.

Labels are true, false, or null for a step without one. A set that stepmill built has more columns,
of which two are read: `soft` (a probability per step) and `correct` (whether the answer is right).
"""

from typing import Any

from schemas.imports import ImportsJob
from tasks.imports.formats.base import (
    LabelledQuestion,
    LabelledSolution,
    has_columns,
    read_list,
    read_steps,
    read_text,
    read_truth,
)
from tasks.problems.row_files import BadRow, shorten


def matches(row: dict[str, Any]) -> bool:
    """Whether a row has the columns of a stepwise set."""
    return has_columns(row, ["prompt", "completions", "labels"])


def read(row: dict[str, Any], job: ImportsJob) -> list[LabelledSolution]:
    """The one solution of a row.

    Raises:
        BadRow: a label is neither true, false nor null, or the numbers differ.
    """
    labels = read_list(row.get("labels"), "labels")
    soft = row.get("soft")
    return [
        LabelledSolution(
            question=LabelledQuestion(text=read_text(row.get("prompt"), "prompt")),
            steps=read_steps(row.get("completions"), "completions"),
            labels=tuple(read_truth(value, f"label {place}") for place, value in enumerate(labels)),
            soft=None
            if soft is None
            else tuple(
                _read_probability(value, place)
                for place, value in enumerate(read_list(soft, "soft labels"))
            ),
            correct=read_truth(row.get("correct"), "correct"),
        )
    ]


def _read_probability(value: Any, place: int) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise BadRow(f"expected a number in [0, 1] as soft label {place}, got {shorten(value)}")
    return float(value)
