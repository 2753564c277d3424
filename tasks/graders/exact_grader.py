"""String answers: equal after normalisation, or wrong.

Normalised: Unicode NFKC, runs of white space become one space, a final full stop is dropped, and
case if the config says so. Nothing is parsed, so `1/2` is not `0.5`.
"""

import unicodedata
from collections.abc import Sequence
from typing import ClassVar

from schemas.graders import ExactGraderConfig
from schemas.rows import Problem
from tasks.graders.base import Grade, number_by_key, refuse_check
from tasks.graders.extraction import extract_answer, name_marks

_RULES = 2
"""Counts up when the same text may get another verdict."""


class ExactGrader:
    """Judges the answer a text marks by its characters."""

    comparable: ClassVar[bool] = True

    def __init__(self, config: ExactGraderConfig) -> None:
        self._ignore_case = config.ignore_case
        self._marks = config.marks
        ignored = "+ignore-case" if config.ignore_case else ""
        self.name = f"exact-{_RULES}{ignored}{name_marks(config.marks)}"

    def grade(self, text: str, problem: Problem) -> Grade:
        """Judge the answer a text marks; an empty gold answer, or a check, grades nothing."""
        answer = extract_answer(text, marks=self._marks)
        if problem.check is not None:
            return Grade(answer, None)
        if answer is None:
            return Grade(None, False)
        is_usable = self.check_gold(problem) is None
        return Grade(answer, self.same(answer, problem.answer) if is_usable else None)

    def check_gold(self, problem: Problem) -> str | None:
        """Refuse an empty gold answer, and a check."""
        if problem.check is not None:
            return refuse_check(problem)
        is_empty = not self._normalise(problem.answer)
        return f"expected a gold answer, got {problem.answer!r}" if is_empty else None

    def same(self, a: str, b: str) -> bool:
        """Compare the normalised strings."""
        return self._normalise(a) == self._normalise(b)

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number answers by normalised string."""
        return number_by_key([None if a is None else self._normalise(a) for a in answers])

    def close(self) -> None:
        """Nothing to free."""

    def _normalise(self, answer: str) -> str:
        normal = " ".join(unicodedata.normalize("NFKC", answer).split())
        normal = normal.removesuffix(".").rstrip()
        return normal.casefold() if self._ignore_case else normal
