"""Confidence intervals of a proportion, and of the mean of a few measurements."""

from collections.abc import Sequence
from math import atan2, cos, fsum, pi, sin, sqrt
from statistics import NormalDist, fmean, stdev


def wilson_interval(
    num_successes: int, num_trials: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Wilson's score interval of a success rate, within [0, 1] (Wilson 1927).

    Raises:
        ValueError: no trials, more successes than trials, or a confidence outside (0, 1).
    """
    if num_trials < 1 or not 0 <= num_successes <= num_trials:
        raise ValueError(
            f"expected 0 <= successes <= trials and a trial, got {num_successes} of {num_trials}"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence in (0, 1), got {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = num_successes / num_trials
    spread = 1 + z**2 / num_trials
    centre = (rate + z**2 / (2 * num_trials)) / spread
    half = z * sqrt(rate * (1 - rate) / num_trials + z**2 / (4 * num_trials**2)) / spread
    low = 0.0 if num_successes == 0 else max(0.0, centre - half)
    high = 1.0 if num_successes == num_trials else min(1.0, centre + half)
    return low, high


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean of independent measurements, such as one per seed.

    Raises:
        ValueError: fewer than two measurements, or a confidence outside (0, 1).
    """
    if len(values) < 2:
        raise ValueError(f"expected at least 2 measurements, got {len(values)}")
    half = student_quantile(0.5 + confidence / 2, len(values) - 1) * stdev(values)
    mean = fmean(values)
    return mean - half / sqrt(len(values)), mean + half / sqrt(len(values))


def student_quantile(p: float, degrees: int) -> float:
    """The quantile of Student's t distribution, to nine digits.

    The distribution function is the finite series for whole degrees of freedom (Abramowitz and
    Stegun 26.7.3 and 26.7.4), which is inverted by bisection.

    Raises:
        ValueError: p is not in [0.5, 1), or there is no degree of freedom.
    """
    if not 0.5 <= p < 1 or degrees < 1:
        raise ValueError(f"expected p in [0.5, 1) and degrees >= 1, got {p} and {degrees}")
    low, high = 0.0, 1.0
    while _student_share(high, degrees) < 2 * p - 1:
        low, high = high, 2 * high
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        is_below = _student_share(middle, degrees) < 2 * p - 1
        low, high = (middle, high) if is_below else (low, middle)
    return high


def _student_share(t: float, degrees: int) -> float:
    """The probability that |T| <= t."""
    angle = atan2(t, sqrt(degrees))
    if degrees == 1:
        return 2 * angle / pi
    is_even = degrees % 2 == 0
    terms = [1.0 if is_even else cos(angle)]
    for power in range(2 if is_even else 3, degrees - 1, 2):
        terms.append(terms[-1] * cos(angle) ** 2 * (power - 1) / power)
    series = fsum(terms) * sin(angle)
    return series if is_even else 2 / pi * (angle + series)
