"""Confidence intervals of a proportion."""

from math import sqrt
from statistics import NormalDist


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
