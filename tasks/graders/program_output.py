"""Whether a program printed what a test expects: line by line and word by word.

As LiveCodeBench compares: space around lines does not count, and numbers are compared by their
value (`1.50` and `1.5`). APPS allows fractions to differ a little (`numpy.allclose`). It also takes
some words in any order; that is not done here.
"""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation


def lines_of(text: str) -> list[str]:
    """The lines of a text, with single spaces between their words."""
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def agree(printed: Sequence[str], expected: Sequence[str], tolerance: float) -> bool:
    """Whether lines are equal word by word, numbers by value.

    Args:
        printed: from `lines_of`; so is `expected`.
        expected: what should be printed.
        tolerance: how far, of itself, a number that is expected with a fraction may be off.
    """
    return len(printed) == len(expected) and all(
        len(a.split()) == len(b.split())
        and all(_agree_words(*pair, tolerance) for pair in zip(a.split(), b.split(), strict=True))
        for a, b in zip(printed, expected, strict=True)
    )


def _agree_words(printed: str, expected: str, tolerance: float) -> bool:
    if printed == expected:
        return True
    try:
        a, b = Decimal(printed), Decimal(expected)
    except InvalidOperation:
        return False
    if a.is_nan() or b.is_nan():
        return False
    has_fraction = "." in expected or "e" in expected.lower()
    return a == b or (has_fraction and math.isclose(a, b, rel_tol=tolerance))
