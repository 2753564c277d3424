"""The protocol every grader implements, and the grade it gives."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from schemas.rows import Problem


@dataclass(frozen=True, slots=True)
class Grade:
    """What a text answers, and whether that is right."""

    answer: str | None
    """As written in the text, markup around it removed; None where the text marks no answer."""
    correct: bool | None
    """None is ungraded: the problem cannot be used for grading, or a limit was hit."""


UNGRADED = Grade(None, None)
"""The grade of a text that says nothing about the problem."""


@runtime_checkable
class Grader(Protocol):
    """Judges solutions of problems; every method may be called from any thread."""

    comparable: ClassVar[bool]
    """Whether answers fall into classes of equal ones. Where they do not (programs, proofs) there
    is nothing to vote on, and every figure and pick that counts votes is left out."""
    name: str
    """What the `grader` column says: kind, library version, and options that change verdicts."""

    def grade(self, text: str, problem: Problem) -> Grade:
        """Judge the text of a solution by the problem's gold answer, or by its check.

        A text without an answer is wrong, `Grade(None, False)`: `verdict` makes that null where
        the text was cut. A problem whose check the grader cannot read leaves every text ungraded,
        and one whose gold answer it cannot read every answer.
        """
        ...

    def check_gold(self, problem: Problem) -> str | None:
        """Say why solutions cannot be judged by this problem's answer or check, or None."""
        ...

    def same(self, a: str, b: str) -> bool | None:
        """Say whether two answers are equal, in either order; None if that was not decided."""
        ...

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number each answer's equivalence class from 0 in first-seen order; None stays None.

        An answer joins the first class whose first member it is the `same` as.
        """
        ...

    def close(self) -> None:
        """End the processes the grader started; a later call starts them again."""
        ...


class Incomparable:
    """The answers of a grader that cannot compare them: only equal texts are known to be equal."""

    comparable: ClassVar[bool] = False

    def same(self, a: str, b: str) -> bool | None:
        """Equal texts are the same answer; of others nothing is known."""
        return True if a == b else None

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number answers by their text; an answer that is None has no class."""
        return number_by_key(answers)


def refuse_check(problem: Problem) -> str | None:
    """Say why a grader of answers cannot judge by this problem, or None if it has no check."""
    if problem.check is None:
        return None
    shown = problem.check if len(problem.check) <= 60 else problem.check[:57] + "..."
    return f"expected a problem that is checked by its answer, got one with the check {shown}"


def number_by_key(keys: Sequence[Hashable | None]) -> list[int | None]:
    """Number equal keys alike, from 0 in first-seen order; None stays None."""
    numbers: dict[Hashable, int] = {}
    return [None if key is None else numbers.setdefault(key, len(numbers)) for key in keys]
