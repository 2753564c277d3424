"""The score that critiques give a solution: the mean of what they say about its correctness."""

from collections.abc import Iterable
from statistics import fmean


def judgement(p_right: float | None, verdict: bool | None) -> float | None:
    """One critique's score in [0, 1]: its probability, or else its verdict; None without either."""
    if p_right is not None:
        return p_right
    return None if verdict is None else float(verdict)


def mean_judgement(judgements: Iterable[tuple[float | None, bool | None]]) -> float | None:
    """The mean score of several critiques of one solution; None if none of them has one.

    Args:
        judgements: `p_right` and `verdict` of each critique.
    """
    known = [score for each in judgements if (score := judgement(*each)) is not None]
    return fmean(known) if known else None
