"""A set of problems in two halves, one to learn from the truth and one to be taught."""

from collections.abc import Sequence

from schemas.rows import Problem


def halve(problems: Sequence[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Every second problem in one half, in order, so that levels used in turn are in both.

    Raises:
        ValueError: a half would be empty.
    """
    if len(problems) < 2:
        raise ValueError(f"expected at least two problems to halve, got {len(problems)}")
    return list(problems[::2]), list(problems[1::2])
