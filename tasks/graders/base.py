"""The protocol that every grader implements, and the grade that it returns."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from schemas.rows import CheckResult, Problem


@dataclass(frozen=True, slots=True)
class Grade:
    """The answer of a text, and whether it is right."""

    answer: str | None
    """As written in the text, without surrounding markup; None if the text marks no answer."""
    correct: bool | None
    """None if ungraded: the problem cannot be used for grading, or a limit was hit."""
    check: CheckResult | None = None
    """What running tests, a proof checker or a judge said; None where an answer was compared."""


UNGRADED = Grade(None, None)
"""The grade of a text that does not count."""


@runtime_checkable
class Grader(Protocol):
    """Judges solutions of problems; every method may be called from any thread."""

    comparable: ClassVar[bool]
    """Whether answers fall into classes of equal ones. If they do not (programs, proofs), they
    cannot be voted on, and every figure and pick that counts votes is left out."""
    name: str
    """The value of the `grader` column: kind, library version, and options that change verdicts."""

    def grade(self, text: str, problem: Problem) -> Grade:
        """Judge the text of a solution by the problem's gold answer, or by its check.

        A text without an answer is wrong, `Grade(None, False)`; `verdict` changes that to null if
        the text was cut. If the grader cannot read the problem's check, every text is ungraded; if
        it cannot read the gold answer, every answer is.
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
        """True for equal texts; None for others, since they cannot be compared."""
        return True if a == b else None

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number answers by their text; None stays None."""
        return number_by_key(answers)


def refuse_check(problem: Problem) -> str | None:
    """Say why a grader of answers cannot judge by this problem, or None if it has no check."""
    if problem.check is None:
        return None
    shown = problem.check if len(problem.check) <= 60 else problem.check[:57] + "..."
    return f"expected a problem that is checked by its answer, got one with the check {shown}"


def number_by_key(keys: Sequence[Hashable | None]) -> list[int | None]:
    """Give equal keys the same number, from 0 in first-seen order; None stays None."""
    numbers: dict[Hashable, int] = {}
    return [None if key is None else numbers.setdefault(key, len(numbers)) for key in keys]
