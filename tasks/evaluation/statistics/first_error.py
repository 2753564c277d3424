"""First-error F1 (ProcessBench, arXiv:2412.06559), with the threshold chosen on other problems.

A verifier predicts that a solution's first error is its first step that scores below a threshold,
or that it has none. A solution with an error is predicted right if that is the very step, a
flawless one if no step is. F1 is the harmonic mean of the two accuracies.

As a function of the threshold t, a solution is predicted right in one interval. With its first
error at step e: score[e] < t <= the minimum of the scores before e. Flawless: t <= the minimum of
all. So both accuracies are step functions that change only at these bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.statistics.bootstrap import (
    Means,
    percentile_interval,
    resample_counts,
    widen_points,
)
from tasks.evaluation.statistics.curves import FloatArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Between which thresholds each solution is predicted right: low < t <= high."""

    low: FloatArray
    """[num_solutions] negative for a flawless solution."""
    high: FloatArray
    """[num_solutions] infinite where the first step is the error."""
    is_erroneous: BoolArray
    """[num_solutions]."""

    def take(self, chosen: BoolArray) -> "Bounds":
        """The bounds of some solutions, given by [num_solutions]."""
        return Bounds(self.low[chosen], self.high[chosen], self.is_erroneous[chosen])

    def hits(self, threshold: float) -> BoolArray:
        """[num_solutions] whether each is predicted right at a threshold."""
        return (self.low < threshold) & (threshold <= self.high)


def find_bounds(scores: Sequence[Sequence[float]], first_errors: Sequence[int | None]) -> Bounds:
    """The bounds of each solution.

    Args:
        scores: [num_solutions][num_steps] in [0, 1], at least one each.
        first_errors: [num_solutions] index of the first wrong step; None for a flawless solution.
    """
    low, high = [], []
    for values, error in zip(scores, first_errors, strict=True):
        low.append(-1.0 if error is None else values[error])
        high.append(min(values[:error], default=np.inf))
    is_erroneous = np.array([error is not None for error in first_errors], dtype=bool)
    return Bounds(np.array(low, dtype=np.float64), np.array(high, dtype=np.float64), is_erroneous)


def best_threshold(bounds: Bounds) -> float | None:
    """The threshold with the highest F1; among equal ones the lowest.

    It lies in the middle between two neighbouring bounds, where other solutions are least likely
    to be judged differently. Above 1 no flawless solution would be predicted right. None without a
    solution with an error or without a flawless one.
    """
    if bounds.is_erroneous.all() or not bounds.is_erroneous.any():
        return None
    ends = np.unique(np.concatenate([bounds.low, bounds.high, [0.0, 1.0]]))
    ends = ends[(ends >= 0) & (ends <= 1)]
    middles = (ends[:-1] + ends[1:]) / 2
    # The middle of two neighbouring floating-point numbers may be the lower one.
    middles = np.where(middles > ends[:-1], middles, ends[1:])
    thresholds = np.concatenate([[0.0], middles])
    rates = [
        _hit_counts(bounds.take(chosen), thresholds) / chosen.sum()
        for chosen in (bounds.is_erroneous, ~bounds.is_erroneous)
    ]
    return float(thresholds[np.argmax(harmonic_mean(*rates).round(12))])


def _hit_counts(bounds: Bounds, thresholds: FloatArray) -> FloatArray:
    """[num_thresholds] how many solutions are predicted right at each."""
    possible = bounds.take(bounds.low < bounds.high)
    began = np.searchsorted(np.sort(possible.low), thresholds, side="left")
    ended = np.searchsorted(np.sort(possible.high), thresholds, side="left")
    return (began - ended).astype(np.float64)


def harmonic_mean(first: FloatArray, second: FloatArray) -> FloatArray:
    """2ab / (a + b), 0 where both are 0, nan where one is nan."""
    total = first + second
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total == 0, 0.0, 2 * first * second / total)


@dataclass(frozen=True, slots=True, eq=False)
class FirstErrorRates:
    """Rates of each group of solutions, and last the unweighted means over all groups."""

    value: FloatArray
    """[num_groups + 1][3] accuracy on solutions with an error, on flawless ones, and F1; nan where
    there are none."""
    low: FloatArray
    """Same shape; nan if fewer than two problems were measured."""
    high: FloatArray
    """Same shape; nan if fewer than two problems were measured."""


def bootstrap_first_errors(
    hits: BoolArray,
    is_erroneous: BoolArray,
    problem_ids: Sequence[str],
    groups: BoolArray,
    *,
    num_resamples: int,
    confidence: float,
    seed: int,
) -> FirstErrorRates:
    """Accuracies and F1 of groups of solutions, with intervals that resample problems.

    Args:
        hits: [num_solutions] whether each is predicted right; thresholds are not chosen again.
        is_erroneous: [num_solutions].
        problem_ids: [num_solutions].
        groups: [num_solutions][num_groups] which solutions each group has.
        num_resamples: number of resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: the seed of the resamples.
    """
    names, problems = np.unique(np.asarray(problem_ids, dtype=object), return_inverse=True)
    counts = np.zeros((len(names), 4, groups.shape[1]))
    for column, chosen in enumerate((is_erroneous, ~is_erroneous)):
        np.add.at(counts[:, column], problems, groups & (chosen & hits)[:, None])
        np.add.at(counts[:, 2 + column], problems, groups & chosen[:, None])
    flat = counts.reshape(len(names), -1)
    value = _rates(flat.sum(axis=0)[None], groups.shape[1])[0]
    low, high = np.full((2, value.size), np.nan)
    if len(names) >= 2:
        weights = resample_counts(len(names), num_resamples, seed)
        resampled = _rates(weights @ flat, groups.shape[1]).reshape(num_resamples, -1)
        wide = ~np.isnan(value).ravel()
        ends = percentile_interval(resampled[:, wide], confidence)
        low[wide], high[wide] = ends
        points = Means(value.ravel(), low, high, _num_problems(counts[:, 2:]).ravel())
        widened = widen_points(points, (0.0, 1.0), confidence)
        low, high = widened.low, widened.high
    return FirstErrorRates(value, low.reshape(value.shape), high.reshape(value.shape))


def _num_problems(totals: FloatArray) -> NDArray[np.int64]:
    """[num_groups + 1][3] the problems behind each rate; of those of several parts, the fewest.

    Args:
        totals: [num_problems][2][num_groups] solutions of both kinds.
    """
    kinds = (totals > 0).sum(axis=0)
    rates = np.concatenate([kinds, kinds.min(axis=0, keepdims=True)])
    return np.concatenate([rates, rates.min(axis=1, keepdims=True)], axis=1).T


def _rates(flat: FloatArray, num_groups: int) -> FloatArray:
    """[num_resamples][num_groups + 1][3] rates from sums of hits and solutions of both kinds."""
    sums = flat.reshape(len(flat), 4, num_groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracies = sums[:, :2] / sums[:, 2:]
    rates = np.concatenate(
        [accuracies, harmonic_mean(accuracies[:, 0], accuracies[:, 1])[:, None]], axis=1
    )
    return np.concatenate([rates, rates.mean(axis=2, keepdims=True)], axis=2).transpose(0, 2, 1)
