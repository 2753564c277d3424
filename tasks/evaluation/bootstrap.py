"""Percentile intervals by resampling problems with replacement (Efron's bootstrap).

The problem is what is drawn from the population, so problems are resampled, never candidates.
Columns of one call share their resamples: the interval of a difference of columns is that of
`bootstrap_mean(first - second)`, paired by problem.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.curves import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means over problems and their intervals, a value per column."""

    value: FloatArray
    """[num_columns] nan where no problem was measured."""
    low: FloatArray
    """[num_columns] nan where fewer than two problems were measured."""
    high: FloatArray
    """[num_columns] nan where fewer than two problems were measured."""
    num_problems: NDArray[np.int64]
    """[num_columns] problems measured."""


def bootstrap_mean(
    values: FloatArray, *, num_resamples: int, confidence: float, seed: int
) -> Means:
    """The mean of each column over its measured problems, with a percentile interval.

    Args:
        values: [num_problems][num_columns]; nan where a problem was not measured.
        num_resamples: resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: of the resamples.
    """
    measured = ~np.isnan(values)
    num_problems = measured.sum(axis=0)
    known = np.where(measured, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = known.sum(axis=0) / num_problems
    low = np.full(values.shape[1], np.nan)
    high = low.copy()
    wide = num_problems >= 2
    if wide.any():
        counts = _resample_counts(len(values), num_resamples, seed)
        with np.errstate(invalid="ignore"):
            means = (counts @ known[:, wide]) / (counts @ measured[:, wide])
        tail = (1.0 - confidence) / 2.0
        # A resample may hold no measured problem of a column: it says nothing about it.
        quantile = np.nanquantile if np.isnan(means).any() else np.quantile
        low[wide], high[wide] = quantile(means, [tail, 1.0 - tail], axis=0)
    return Means(mean, low, high, num_problems)


def bootstrap_difference(
    first: FloatArray, second: FloatArray, *, num_resamples: int, confidence: float, seed: int
) -> Means:
    """The mean of `first - second`, paired by problem, with a percentile interval.

    Args:
        first: [num_problems][num_columns].
        second: same shape; a problem counts where both are measured.
        num_resamples: resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: of the resamples.
    """
    return bootstrap_mean(
        first - second, num_resamples=num_resamples, confidence=confidence, seed=seed
    )


def _resample_counts(num_problems: int, num_resamples: int, seed: int) -> FloatArray:
    """[num_resamples][num_problems] how often each resample holds each problem."""
    rng = np.random.default_rng(seed)
    p_equal = np.full(num_problems, 1.0 / num_problems)
    return rng.multinomial(num_problems, p_equal, size=num_resamples).astype(np.float64)
