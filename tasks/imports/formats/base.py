"""What every format of labelled solutions gives: solutions cut into steps, with a label per step.

A step's text is stored without the white space around it. A row that does not fit is a `BadRow`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.problems.files import check_text
from tasks.problems.row_files import BadRow, shorten


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledQuestion:
    """A question and what its set says about it."""

    text: str
    gold: str = ""
    """The gold answer; empty if the set has none."""
    worked: str | None = None
    """A reference solution."""
    split: str | None = None
    """The subset that the row names; None for the split of the job."""
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSolution:
    """A solution and its labels.

    Raises:
        BadRow: the number of labels is not that of the steps, there is no step, or one is blank.
    """

    question: LabelledQuestion
    steps: tuple[str, ...]
    """[num_steps] texts without separators."""
    labels: tuple[bool | None, ...]
    """[num_steps] whether the solution is right up to and including the step; None if unknown."""
    soft: tuple[float | None, ...] | None = None
    """[num_steps] estimated probabilities; None if the set has none."""
    answer: str | None = None
    correct: bool | None = None
    """Whether the answer is right; None if the set does not say."""
    reason: str | None = None
    """Why it ends before its answer, if it does."""

    def __post_init__(self) -> None:
        """Check that every step has its label, and that there is something to read."""
        if not self.steps:
            raise BadRow("expected at least one step, got none")
        for place, step in enumerate(self.steps):
            if not step.strip():
                raise BadRow(f"expected text as step {place}, got {shorten(step)}")
        for what, values in (("labels", self.labels), ("soft labels", self.soft)):
            if values is not None and len(values) != len(self.steps):
                raise BadRow(f"expected {len(self.steps)} {what}, one per step, got {len(values)}")


def read_text(value: Any, what: str) -> str:
    """A required text without white space around it.

    Raises:
        BadRow: there is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise BadRow(f"expected text as {what}, got {shorten(value)}")
    return check_text(value.strip(), what)


def read_list(value: Any, what: str) -> list[Any]:
    """A required list with at least one element.

    Raises:
        BadRow: there is none.
    """
    if not isinstance(value, list) or not value:
        raise BadRow(f"expected a list of {what}, got {shorten(value)}")
    return value


def read_steps(value: Any, what: str) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        BadRow: it is not one, or a text is blank.
    """
    return tuple(
        read_text(text, f"step {place}") for place, text in enumerate(read_list(value, what))
    )


def read_truth(value: Any, what: str) -> bool | None:
    """True, false, 1, 0 or nothing.

    Raises:
        BadRow: it is something else.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise BadRow(f"expected true, false or null as {what}, got {shorten(value)}")


def has_columns(row: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether a row has all of these columns."""
    return all(name in row for name in names)
