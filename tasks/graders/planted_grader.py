"""Planted-subsequence texts: right when they hold the gold symbols in order (arXiv:2502.12118).

Symbols are separated by white space; other symbols may stand between the gold ones. The answer of
a text is the whole text, one space between symbols.
"""

from collections.abc import Sequence

from tasks.graders.base import Grade, number_by_key


class PlantedGrader:
    """Looks for the gold symbols as an ordered subsequence of a text's symbols."""

    name = "planted-1"

    def grade(self, text: str, gold: str) -> Grade:
        """Judge a whole text; an empty gold answer grades nothing."""
        symbols = text.split()
        if not symbols:
            return Grade(None, False)
        rest = iter(symbols)
        holds_gold = all(symbol in rest for symbol in gold.split())
        return Grade(" ".join(symbols), holds_gold if self.check_gold(gold) is None else None)

    def same(self, a: str, b: str) -> bool:
        """Compare symbol by symbol."""
        return a.split() == b.split()

    def check_gold(self, gold: str) -> str | None:
        """Refuse only a gold answer without symbols."""
        return None if gold.split() else f"expected gold symbols, got {gold!r}"

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number answers by their symbols."""
        return number_by_key([None if a is None else tuple(a.split()) for a in answers])

    def close(self) -> None:
        """Nothing to free."""
