"""The law of repeated sampling: coverage as an exponentiated power law in the number of samples.

Large Language Monkeys (arXiv:2407.21787, section 3.1) models coverage c(k), the share of problems
that k samples solve, by log c(k) = a k^b with a, b <= 0. The fit is by least squares in log c: for
every b the best a is known in closed form, so only b is searched, over a grid that is refined
around its minimum. No starting point is needed, and equal curves give equal fits.

A curve of zeros has no logarithm, and one of ones fits every b: neither has a fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tasks.evaluation.statistics.bootstrap import percentile_interval, resample_counts
from tasks.evaluation.statistics.curves import FloatArray

Interval = tuple[float | None, float | None]

_LOWEST_B = -8.0
"""A curve that falls faster has reached 1 after the first point."""
_GRID = 161
_REFINEMENTS = 5


@dataclass(frozen=True, slots=True)
class CoverageFit:
    """The law of one curve: coverage of k samples is exp(a k^b)."""

    a: float
    """At most 0; exp(a) is the coverage of one sample."""
    b: float
    """At most 0; 0 is a curve that more samples do not raise."""
    error: float
    """Largest distance between law and curve at a measured k, in coverage."""

    def coverage(self, k: float) -> float:
        """The law's coverage of k samples."""
        return float(np.exp(self.a * float(k) ** self.b))


@dataclass(frozen=True, slots=True)
class CoverageLaw:
    """A fit with intervals by resampling problems."""

    fit: CoverageFit
    a_interval: Interval
    """As those below: None where fewer than two problems, or not every resample, were fitted."""
    b_interval: Interval
    error_interval: Interval
    """Of the law of each resample on its own curve."""
    num_problems: int


def fit_coverage(ks: Sequence[int], coverage: Sequence[float]) -> CoverageFit | None:
    """The law that fits a curve best; None where no law does.

    Args:
        ks: [num_points] numbers of samples, at least 1, increasing.
        coverage: [num_points] the coverage of each, in [0, 1].

    Raises:
        ValueError: fewer than two points, or a value is out of range.
    """
    _check(ks, np.asarray(coverage, dtype=np.float64)[None, :])
    a, b = _fit(np.asarray(ks, dtype=np.float64), np.asarray(coverage, dtype=np.float64)[None, :])
    if np.isnan(a[0]):
        return None
    law = np.exp(a[0] * np.asarray(ks, dtype=np.float64) ** b[0])
    return CoverageFit(float(a[0]), float(b[0]), float(np.abs(law - coverage).max()))


def fit_coverage_law(
    ks: Sequence[int], pass_rates: FloatArray, *, num_resamples: int, confidence: float, seed: int
) -> CoverageLaw | None:
    """The law of a set of problems, with percentile intervals; None where none fits.

    Args:
        ks: [num_points] numbers of samples, at least 1, increasing.
        pass_rates: [num_problems][num_points] pass@k of each problem; all measured.
        num_resamples: number of resamples of the problems.
        confidence: coverage of the intervals, in (0, 1).
        seed: the seed of the resamples.

    Raises:
        ValueError: no problem, fewer than two points, or a value is out of range.
    """
    rates = np.asarray(pass_rates, dtype=np.float64)
    if not len(rates):
        raise ValueError("expected pass rates of at least one problem, got none")
    _check(ks, rates)
    fit = fit_coverage(ks, rates.mean(axis=0).tolist())
    if fit is None:
        return None
    unknown: Interval = (None, None)
    if len(rates) < 2:
        return CoverageLaw(fit, unknown, unknown, unknown, len(rates))
    means = resample_counts(len(rates), num_resamples, seed) @ rates / len(rates)
    points = np.asarray(ks, dtype=np.float64)
    a, b = _fit(points, means)
    if np.isnan(a).any():
        return CoverageLaw(fit, unknown, unknown, unknown, len(rates))
    laws = np.exp(a[:, None] * points[None, :] ** b[:, None])
    errors = np.abs(laws - means).max(axis=1)
    low, high = percentile_interval(np.stack([a, b, errors], axis=1), confidence)
    ends = [(float(one), float(other)) for one, other in zip(low, high, strict=True)]
    return CoverageLaw(fit, ends[0], ends[1], ends[2], len(rates))


def _check(ks: Sequence[int], rates: FloatArray) -> None:
    if len(ks) < 2:
        raise ValueError(f"expected at least two numbers of samples, got {list(ks)}")
    if ks[0] < 1 or any(low >= high for low, high in pairwise(ks)):
        raise ValueError(f"expected increasing numbers of samples of at least 1, got {list(ks)}")
    if rates.shape[1] != len(ks):
        raise ValueError(f"expected {len(ks)} values per problem, got {rates.shape[1]}")
    if not ((rates >= 0) & (rates <= 1)).all():
        wrong = rates[~((rates >= 0) & (rates <= 1))][0]
        raise ValueError(f"expected coverage in [0, 1], got {wrong}")


def _fit(ks: FloatArray, curves: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A and b of each curve of [num_curves][num_points]; nan where none fits."""
    fits = (curves > 0).all(axis=1) & (curves < 1).any(axis=1)
    a, b = np.full((2, len(curves)), np.nan)
    if not fits.any():
        return a, b
    # Rounding may put a mean of ones above 1 by an ulp.
    logs = np.minimum(np.log(curves[fits]), 0.0)
    low, high = np.full(len(logs), _LOWEST_B), np.zeros(len(logs))
    for _ in range(_REFINEMENTS):
        grid = np.linspace(low, high, _GRID, axis=1)
        place = _squared_errors(ks, logs, grid).argmin(axis=1)
        rows = np.arange(len(logs))
        low = grid[rows, np.maximum(place - 1, 0)]
        high = grid[rows, np.minimum(place + 1, _GRID - 1)]
        best = grid[rows, place]
    powers = ks[None, :] ** best[:, None]
    a[fits] = (logs * powers).sum(axis=1) / (powers**2).sum(axis=1)
    b[fits] = best
    return a, b


def _squared_errors(ks: FloatArray, logs: FloatArray, grid: FloatArray) -> FloatArray:
    """[num_curves][num_b] the squared error of the best a for each b, less a constant."""
    powers = ks[None, None, :] ** grid[:, :, None]
    products = (logs[:, None, :] * powers).sum(axis=2)
    return -(products**2) / (powers**2).sum(axis=2)
