"""The nearest of several texts by character edit distance."""

from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein


def find_nearest(text: str, others: Sequence[str]) -> tuple[int, int]:
    """The index of the nearest of some texts, the first of equally near ones, and its distance.

    Raises:
        ValueError: no text is given.
    """
    found = process.extractOne(text, others, scorer=Levenshtein.distance)
    if found is None:
        raise ValueError("expected at least one text to find the nearest of, got none")
    _, distance, index = found
    return index, distance
