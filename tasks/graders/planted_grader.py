"""Planted-subsequence texts: right if they contain the gold symbols in order (arXiv:2502.12118).

Symbols are separated by white space; other symbols may come between the gold ones. The answer of a
text is the whole text, with one space between symbols.
"""

from collections.abc import Sequence
from typing import ClassVar

from schemas.graders import PlantedGraderConfig
from schemas.rows import Problem
from tasks.graders.base import Grade, number_by_key, refuse_check


class PlantedGrader:
    """Looks for the gold symbols as an ordered subsequence of a text's symbols."""

    comparable: ClassVar[bool] = True
    name = "planted-1"

    def __init__(self, config: PlantedGraderConfig) -> None:
        """Make a grader; the config has no settings."""

    def grade(self, text: str, problem: Problem) -> Grade:
        """Judge a whole text; an empty gold answer, or a check, grades nothing."""
        symbols = text.split()
        answer = " ".join(symbols) or None
        if problem.check is not None:
            return Grade(answer, None)
        if answer is None:
            return Grade(None, False)
        rest = iter(symbols)
        holds_gold = all(symbol in rest for symbol in problem.answer.split())
        return Grade(answer, holds_gold if self.check_gold(problem) is None else None)

    def check_gold(self, problem: Problem) -> str | None:
        """Refuse a gold answer without symbols, and a check."""
        if problem.check is not None:
            return refuse_check(problem)
        is_empty = not problem.answer.split()
        return f"expected gold symbols, got {problem.answer!r}" if is_empty else None

    def same(self, a: str, b: str) -> bool:
        """Compare symbol by symbol."""
        return a.split() == b.split()

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number answers by their symbols."""
        return number_by_key([None if a is None else tuple(a.split()) for a in answers])

    def close(self) -> None:
        """Nothing to free."""
