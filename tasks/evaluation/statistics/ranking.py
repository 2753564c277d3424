"""The AUC of step scores, with an interval that resamples problems rather than steps.

A resample is a weight per problem. The steps are sorted by score once; one pass over them then
computes the AUC of a resample against every group of wrong steps, so a thousand resamples of fifty
thousand steps take about a second.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.statistics.bootstrap import (
    Means,
    percentile_interval,
    resample_counts,
    widen_points,
)
from tasks.evaluation.statistics.curves import FloatArray


def bootstrap_auc(
    scores: Sequence[float],
    is_right: NDArray[np.bool_],
    problem_ids: Sequence[str],
    against: NDArray[np.bool_],
    *,
    num_resamples: int,
    confidence: float,
    seed: int,
) -> Means:
    """The chance, per column, that a right step scores above a wrong one; a tie counts half.

    Args:
        scores: [num_steps].
        is_right: [num_steps].
        problem_ids: [num_steps] the problem of each step; problems are resampled.
        against: [num_steps][num_columns] the wrong steps of each column; never right ones.
        num_resamples: number of resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: the seed of the resamples.

    Returns:
        One value per column, nan without a right or a wrong step; `num_problems` is the number of
        problems with a wrong step in the column.

    Raises:
        ValueError: lengths differ, or a right step is in a column.
    """
    num_steps, num_columns = against.shape
    if not len(scores) == len(is_right) == len(problem_ids) == num_steps:
        raise ValueError(
            f"expected {num_steps} scores, truths and problems, got {len(scores)}, "
            f"{len(is_right)} and {len(problem_ids)}"
        )
    if against[is_right].any():
        raise ValueError("expected wrong steps to compare against, got a right one")
    names, problems = np.unique(np.asarray(problem_ids, dtype=object), return_inverse=True)
    distinct, places = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    is_member = against[~is_right].astype(np.float64)

    def measure(counts: FloatArray) -> FloatArray:
        weights = counts[problems]
        right = np.bincount(places[is_right], weights[is_right], minlength=len(distinct))
        above = right.sum() - np.cumsum(right) + right / 2.0
        wins = weights[~is_right] * above[places[~is_right]]
        with np.errstate(invalid="ignore", divide="ignore"):
            return (wins @ is_member) / (right.sum() * (weights[~is_right] @ is_member))

    num_problems = np.array(
        [len(np.unique(problems[against[:, column]])) for column in range(num_columns)],
        dtype=np.int64,
    )
    value = measure(np.ones(len(names)))
    low = np.full(num_columns, np.nan)
    high = low.copy()
    wide = (num_problems >= 2) & ~np.isnan(value)
    if wide.any():
        resamples = resample_counts(len(names), num_resamples, seed)
        values = np.array([measure(counts) for counts in resamples])
        low[wide], high[wide] = percentile_interval(values[:, wide], confidence)
    return widen_points(Means(value, low, high, num_problems), (0.0, 1.0), confidence)
