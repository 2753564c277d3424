"""String answers: equal after normalisation, or wrong.

Normalised: Unicode NFKC, runs of white space become one space, a final full stop is dropped, and
case where the config says so. Nothing is parsed, so `1/2` is not `0.5`.
"""

import unicodedata
from collections.abc import Sequence

from schemas.graders import ExactGraderConfig
from tasks.graders.base import Grade, number_by_key
from tasks.graders.extraction import extract_answer


class ExactGrader:
    """Judges the answer a text marks by its characters."""

    def __init__(self, config: ExactGraderConfig) -> None:
        self._ignore_case = config.ignore_case
        self.name = "exact-1" + ("+ignore-case" if config.ignore_case else "")

    def grade(self, text: str, gold: str) -> Grade:
        """Judge the answer a text marks; an empty gold answer grades nothing."""
        answer = extract_answer(text)
        if answer is None:
            return Grade(None, False)
        return Grade(answer, self.same(answer, gold) if self.check_gold(gold) is None else None)

    def same(self, a: str, b: str) -> bool:
        """Compare the normalised strings."""
        return self._normalise(a) == self._normalise(b)

    def check_gold(self, gold: str) -> str | None:
        """Refuse only an empty gold answer."""
        return None if self._normalise(gold) else f"expected a gold answer, got {gold!r}"

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number answers by normalised string."""
        return number_by_key([None if a is None else self._normalise(a) for a in answers])

    def close(self) -> None:
        """Nothing to free."""

    def _normalise(self, answer: str) -> str:
        normal = " ".join(unicodedata.normalize("NFKC", answer).split())
        normal = normal.removesuffix(".").rstrip()
        return normal.casefold() if self._ignore_case else normal
