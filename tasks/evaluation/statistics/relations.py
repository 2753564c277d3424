"""Whether one measured figure is larger than another: the difference, its interval, the verdict.

A relation claims that the difference of two figures exceeds a margin (mostly 0). With the 95%
interval of the difference it

* holds if the whole interval lies above the margin,
* does not hold if the whole interval lies below it,
* is within the noise if the margin lies in the interval.

The interval is, the first that is possible:

1. paired by problem: the mean of the differences over the problems that both sides measured, from
   `MIN_PROBLEMS` up, with a percentile bootstrap over the problems;
2. paired by seed: the same over seeds, from two up, with Student's t interval;
3. that of the stored difference, where the store has one that was paired;
4. from the two intervals (MOVER, Zou and Donner 2008; for proportions Newcombe's method 10), which
   takes the sides to be independent: for figures over the same problems it is too wide, not too
   narrow, as these are mostly positively correlated.

Without any of them there is no verdict.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from math import hypot
from typing import Literal

import numpy as np

from schemas.rows.relations import Verdict
from tasks.evaluation.statistics.bootstrap import bootstrap_mean
from tasks.evaluation.statistics.intervals import mean_interval

MIN_PROBLEMS = 10
"""Fewer paired problems have no interval: resamples of a handful are nearly all alike."""
_CONFIDENCE = 0.95
_RESAMPLES = 2000

Pairing = Literal["problem", "seed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A measured figure."""

    value: float
    low: float | None = None
    high: float | None = None
    units: Mapping[str, float] | None = None
    """The figure of each problem, or seed, by its id; None if only the mean is known."""
    pairing: Pairing = "problem"
    """What the units are."""

    def scaled(self, times: float) -> "Measured":
        """The figure multiplied by a positive number."""
        if times == 1:
            return self
        return replace(
            self,
            value=self.value * times,
            low=None if self.low is None else self.low * times,
            high=None if self.high is None else self.high * times,
            units=self.units and {unit: value * times for unit, value in self.units.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The difference of two figures, and what it says."""

    difference: float
    low: float | None
    high: float | None
    verdict: Verdict | None
    rule: str
    num_units: int | None = None


def verdict_of(low: float | None, high: float | None, margin: float = 0.0) -> Verdict | None:
    """What an interval of a difference says about the claim that it exceeds the margin."""
    if low is None or high is None:
        return None
    if low > margin:
        return "holds"
    return "does not hold" if high < margin else "within the noise"


def compare(
    larger: Measured,
    smaller: Measured,
    *,
    stored: Measured | None = None,
    margin: float = 0.0,
    seed: int = 0,
) -> Comparison:
    """Compare two figures by the rule of this module.

    Args:
        larger: the side that is claimed to be larger.
        smaller: the other side.
        stored: a stored difference of the two that was paired by problem.
        margin: what the difference must exceed.
        seed: of the bootstrap.
    """
    found = _paired(larger, smaller, seed) or _stored(stored) or _independent(larger, smaller)
    return replace(found, verdict=verdict_of(found.low, found.high, margin))


def on_shared_units(first: Measured, second: Measured) -> tuple[Measured, Measured]:
    """Both figures over the problems, or seeds, that both have, if these are enough to pair by."""
    if first.units is None or second.units is None or first.pairing != second.pairing:
        return first, second
    shared = first.units.keys() & second.units.keys()
    if len(shared) < (MIN_PROBLEMS if first.pairing == "problem" else 2):
        return first, second
    return _over(first, shared), _over(second, shared)


def mean_of_units(units: Mapping[str, float], pairing: Pairing, *, seed: int = 0) -> Measured:
    """The mean over problems or seeds with its interval, which few units do not have.

    Raises:
        ValueError: there is no unit.
    """
    if not units:
        raise ValueError(f"expected the figure of at least one {pairing}, got none")
    values = np.array([units[name] for name in sorted(units)], dtype=np.float64)
    low, high = _interval(values, pairing, seed)
    return Measured(value=float(values.mean()), low=low, high=high, units=units, pairing=pairing)


def weighted_sum(terms: Sequence[tuple[float, Measured]], *, seed: int = 0) -> Measured:
    """A weighted sum of figures.

    It is by unit where all figures are by the same kind of unit, over the units that all of them
    have; otherwise its interval takes the figures to be independent, and is None if one has none.

    Raises:
        ValueError: there are no figures, or they share no unit.
    """
    if not terms:
        raise ValueError("expected a figure, got none")
    pairing = terms[0][1].pairing
    is_one = all(figure.pairing == pairing for _, figure in terms)
    known = [figure.units for _, figure in terms if figure.units is not None]
    if len(known) == len(terms) and is_one:
        shared = set.intersection(*(set(units) for units in known))
        weights = [weight for weight, _ in terms]
        units = {
            name: sum(w * units[name] for w, units in zip(weights, known, strict=True))
            for name in shared
        }
        return mean_of_units(units, pairing, seed=seed)
    value = sum(weight * figure.value for weight, figure in terms)
    below, above = [], []
    for weight, figure in terms:
        if figure.low is None or figure.high is None:
            return Measured(value=value)
        ends = (weight * (figure.low - figure.value), weight * (figure.high - figure.value))
        below.append(min(ends))
        above.append(max(ends))
    return Measured(value=value, low=value - hypot(*below), high=value + hypot(*above))


def _over(figure: Measured, names: Set[str]) -> Measured:
    if figure.units is None or figure.units.keys() == names:
        return figure
    units = {name: figure.units[name] for name in names}
    return mean_of_units(units, figure.pairing)


def _paired(larger: Measured, smaller: Measured, seed: int) -> Comparison | None:
    """The mean difference over the units that both sides have; None if they are too few."""
    if larger.units is None or smaller.units is None or larger.pairing != smaller.pairing:
        return None
    shared = sorted(larger.units.keys() & smaller.units.keys())
    values = np.array([larger.units[u] - smaller.units[u] for u in shared], dtype=np.float64)
    low, high = _interval(values, larger.pairing, seed)
    if low is None:
        return None
    how = "bootstrap" if larger.pairing == "problem" else "Student's t"
    return Comparison(
        difference=float(values.mean()),
        low=low,
        high=high,
        verdict=None,
        rule=f"paired by {larger.pairing}, {how}",
        num_units=len(shared),
    )


def _stored(difference: Measured | None) -> Comparison | None:
    if difference is None or difference.low is None:
        return None
    return Comparison(
        difference=difference.value,
        low=difference.low,
        high=difference.high,
        verdict=None,
        rule="stored difference, paired by problem, bootstrap",
    )


def _independent(larger: Measured, smaller: Measured) -> Comparison:
    difference = larger.value - smaller.value
    ends = (larger.low, larger.high, smaller.low, smaller.high)
    if any(end is None for end in ends):
        rule = "a side has no interval"
        return Comparison(difference=difference, low=None, high=None, verdict=None, rule=rule)
    first_low, first_high, second_low, second_high = (float(end) for end in ends if end is not None)
    return Comparison(
        difference=difference,
        low=difference - hypot(larger.value - first_low, second_high - smaller.value),
        high=difference + hypot(first_high - larger.value, smaller.value - second_low),
        verdict=None,
        rule="from the two intervals, as if independent",
    )


_OF_OUTCOMES = (-1.0, 1.0)
"""The bounds of a difference between two outcomes."""


def _interval(
    values: np.ndarray, pairing: Pairing, seed: int
) -> tuple[float, float] | tuple[None, None]:
    """The interval of the mean of [num_units]; None if there are too few."""
    if pairing == "problem":
        if len(values) < MIN_PROBLEMS:
            return None, None
        means = bootstrap_mean(
            values[:, None],
            num_resamples=_RESAMPLES,
            confidence=_CONFIDENCE,
            seed=seed,
            bounds=_OF_OUTCOMES if np.isin(values, (-1.0, 0.0, 1.0)).all() else None,
        )
        return float(means.low[0]), float(means.high[0])
    if len(values) < 2:
        return None, None
    return mean_interval(values.tolist(), _CONFIDENCE)
