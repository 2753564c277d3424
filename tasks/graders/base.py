"""The protocol every grader speaks, and the verdict it gives."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Grade:
    """What a text answers, and whether that is right."""

    answer: str | None
    """As written in the text, markup around it removed; None where the text marks no answer."""
    correct: bool | None
    """None is ungraded: the gold answer does not parse, or a limit was hit."""


@runtime_checkable
class Grader(Protocol):
    """Judges answers; every method may be called from any thread."""

    name: str
    """What the `grader` column says: kind, library version, and options that change verdicts."""

    def grade(self, text: str, gold: str) -> Grade:
        """Judge a solution's text against the bare gold answer.

        A text without an answer is wrong, `Grade(None, False)`: whoever knows that the text was
        cut makes that null.
        """
        ...

    def same(self, a: str, b: str) -> bool | None:
        """Say whether two answers are equal, in either order; None if that was not decided."""
        ...

    def check_gold(self, gold: str) -> str | None:
        """Say why answers cannot be judged against this gold answer, or None if they can."""
        ...

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number each answer's equivalence class from 0 in first-seen order; None stays None.

        An answer joins the first class whose first member it is the `same` as.
        """
        ...

    def close(self) -> None:
        """End the processes the grader started; a later call starts them again."""
        ...


def number_by_key(keys: Sequence[Hashable | None]) -> list[int | None]:
    """Number equal keys alike, from 0 in first-seen order; None stays None."""
    numbers: dict[Hashable, int] = {}
    return [None if key is None else numbers.setdefault(key, len(numbers)) for key in keys]
