"""Percentile intervals by resampling problems with replacement (Efron's bootstrap).

The unit drawn from the population is the problem, so problems are resampled, never candidates. All
columns of a call share their resamples. For the interval of a difference between two columns,
paired by problem, use `bootstrap_mean(first - second)`.

Where all problems agree, every resample is the same and a percentile interval is a point, which
claims to be certain after a handful of problems. There the interval is `agreement_interval`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.intervals import wilson_interval

Bounds = tuple[float, float]
_SAME = 1e-9


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
    values: FloatArray,
    *,
    num_resamples: int,
    confidence: float,
    seed: int,
    bounds: Bounds | None = None,
) -> Means:
    """The mean of each column over its measured problems, with a percentile interval.

    Args:
        values: [num_problems][num_columns]; nan for a problem that was not measured.
        num_resamples: number of resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: the seed of the resamples.
        bounds: the least and the greatest value that a problem can have; None if it has no bounds,
            and then equal values have an interval of a point.
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
            resampled = (counts @ known[:, wide]) / (counts @ measured[:, wide])
        low[wide], high[wide] = percentile_interval(resampled, confidence)
    means = Means(mean, low, high, num_problems)
    return means if bounds is None else widen_points(means, bounds, confidence)


def agreement_interval(
    value: float, num_problems: int, bounds: Bounds, confidence: float
) -> tuple[float, float]:
    """The interval of a mean over problems that all have the same value.

    After n problems without another value, at most the share z^2 / (n + z^2) of the population has
    one (the end of Wilson's score interval of 0 of n, Wilson 1927), as low or as high as the bounds
    allow. For a success rate that is Wilson's interval of 0 of n, or of n of n.

    Args:
        value: what each problem has.
        num_problems: n, at least 1.
        bounds: the least and the greatest value that a problem can have.
        confidence: coverage, in (0, 1).
    """
    _, others = wilson_interval(0, num_problems, confidence)
    least, greatest = bounds
    return value - others * (value - least), value + others * (greatest - value)


def _widen(
    agree: NDArray[np.bool_],
    value: FloatArray,
    low: FloatArray,
    high: FloatArray,
    num_problems: NDArray[np.int64],
    bounds: Bounds,
    confidence: float,
) -> None:
    """Set the intervals of columns in which all problems agree on a value within the bounds."""
    for column in np.flatnonzero(agree):
        if bounds[0] <= value[column] <= bounds[1]:
            low[column], high[column] = agreement_interval(
                float(value[column]), int(num_problems[column]), bounds, confidence
            )


def widen_points(means: Means, bounds: Bounds, confidence: float) -> Means:
    """The same, in which an interval that is a point is one of `agreement_interval`."""
    low, high = means.low.copy(), means.high.copy()
    is_point = np.abs(high - low) < _SAME
    _widen(is_point, means.value, low, high, means.num_problems, bounds, confidence)
    return Means(means.value, low, high, means.num_problems)


def bootstrap_ratio(
    parts: FloatArray,
    wholes: FloatArray,
    *,
    num_resamples: int,
    confidence: float,
    seed: int,
    bounds: Bounds | None = (0.0, 1.0),
) -> Means:
    """The sum of parts divided by the sum of wholes, per column: a rate over rows, not problems.

    Args:
        parts: [num_problems][num_columns], for example the number of right rows of each problem.
        wholes: same shape; the number of all rows. A problem without rows is not measured.
        num_resamples: number of resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: the seed of the resamples.
        bounds: the least and the greatest value of a row; None as in `bootstrap_mean`.
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
    means = Means(value, low, high, num_problems)
    return means if bounds is None else widen_points(means, bounds, confidence)


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
