"""Percentile intervals by resampling problems with replacement (Efron's bootstrap).

The unit drawn from the population is the problem, so problems are resampled, never candidates. All
columns of a call share their resamples. For the interval of a difference between two columns,
paired by problem, use `bootstrap_mean(first - second)`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.statistics.curves import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means over problems and their intervals, one value per column."""

    value: FloatArray
    """[num_columns] nan if no problem was measured."""
    low: FloatArray
    """[num_columns] nan if fewer than two problems were measured."""
    high: FloatArray
    """[num_columns] nan if fewer than two problems were measured."""
    num_problems: NDArray[np.int64]
    """[num_columns] number of problems measured."""

    def interval(self, column: int) -> tuple[float | None, float | None]:
        """The ends of one column's interval; None if it has no interval."""
        low, high = float(self.low[column]), float(self.high[column])
        return None if np.isnan(low) else low, None if np.isnan(high) else high


def bootstrap_mean(
    values: FloatArray, *, num_resamples: int, confidence: float, seed: int
) -> Means:
    """The mean of each column over its measured problems, with a percentile interval.

    Args:
        values: [num_problems][num_columns]; nan for a problem that was not measured.
        num_resamples: number of resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: the seed of the resamples.
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
        counts = resample_counts(len(values), num_resamples, seed)
        with np.errstate(invalid="ignore"):
            means = (counts @ known[:, wide]) / (counts @ measured[:, wide])
        low[wide], high[wide] = percentile_interval(means, confidence)
    return Means(mean, low, high, num_problems)


def bootstrap_ratio(
    parts: FloatArray, wholes: FloatArray, *, num_resamples: int, confidence: float, seed: int
) -> Means:
    """The sum of parts divided by the sum of wholes, per column: a rate over rows, not problems.

    Args:
        parts: [num_problems][num_columns], for example the number of right rows of each problem.
        wholes: same shape; the number of all rows. A problem without rows is not measured.
        num_resamples: number of resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: the seed of the resamples.
    """
    num_problems = (wholes > 0).sum(axis=0)
    counts = resample_counts(len(wholes), num_resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = parts.sum(axis=0) / wholes.sum(axis=0)
        ratios = (counts @ parts) / (counts @ wholes)
    low = np.full(wholes.shape[1], np.nan)
    high = low.copy()
    wide = num_problems >= 2
    if wide.any():
        low[wide], high[wide] = percentile_interval(ratios[:, wide], confidence)
    return Means(value, low, high, num_problems)


def percentile_interval(values: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    """The ends of the interval of each column of [num_resamples][num_columns]: two [num_columns].

    A resample may contain no problem that a column measures; its nan is then ignored.
    """
    tail = (1.0 - confidence) / 2.0
    quantile = np.nanquantile if np.isnan(values).any() else np.quantile
    low, high = quantile(values, [tail, 1.0 - tail], axis=0)
    return low, high


def resample_counts(num_problems: int, num_resamples: int, seed: int) -> FloatArray:
    """[num_resamples][num_problems] how often each resample contains each problem."""
    rng = np.random.default_rng(seed)
    p_equal = np.full(num_problems, 1.0 / num_problems)
    return rng.multinomial(num_problems, p_equal, size=num_resamples).astype(np.float64)
