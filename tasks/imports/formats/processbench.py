"""ProcessBench (arXiv:2412.06559): people named the first wrong step of a solution.

`label` is its index from 0, or -1 for a flawless solution. Steps before it are right; what follows
an error was not judged and has no label. The subset (`gsm8k`, `math`, `olympiadbench`, `omnimath`)
is the beginning of the row's id. The set has no gold answers, only whether the final answer is
right.
"""

import re
from typing import Any

from schemas.imports import ImportsJob
from tasks.imports.formats.base import (
    LabelledQuestion,
    LabelledSolution,
    has_columns,
    read_steps,
    read_text,
    read_truth,
)
from tasks.problems.files import check_text
from tasks.problems.row_files import BadRow, shorten

_SUBSET = re.compile(r"(?P<subset>.+)-\d+")


def matches(row: dict[str, Any]) -> bool:
    """Whether a row has the set's columns."""
    return has_columns(row, ["problem", "steps", "label"])


def read(row: dict[str, Any], job: ImportsJob) -> list[LabelledSolution]:
    """The one solution of a row.

    Raises:
        BadRow: the label is neither -1 nor the index of a step.
    """
    steps, label = read_steps(row.get("steps"), "steps"), row.get("label")
    if type(label) is not int or not -1 <= label < len(steps):
        raise BadRow(
            f"expected -1 or the index of one of {len(steps)} steps as label, got {shorten(label)}"
        )
    num_right = len(steps) if label < 0 else label
    error = () if label < 0 else (False,)
    unknown = (None,) * (len(steps) - num_right - len(error))
    named = _SUBSET.fullmatch(str(row.get("id")))
    return [
        LabelledSolution(
            question=LabelledQuestion(
                text=read_text(row.get("problem"), "problem"),
                split=check_text(named["subset"], "id") if named else None,
            ),
            steps=steps,
            labels=(*(True,) * num_right, *error, *unknown),
            correct=read_truth(row.get("final_answer_correct"), "final_answer_correct"),
        )
    ]
