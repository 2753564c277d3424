"""Two runs on the same problems: their solve rates, and the difference paired by problem.

Pairing removes what the problems themselves differ by, so that a small difference is seen with few
problems. Intervals are those of `statistics/bootstrap.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tasks.evaluation.statistics.bootstrap import bootstrap_mean

_RESAMPLES = 10_000
_CONFIDENCE = 0.95
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A mean over problems with its interval; without ends where only one problem was measured."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """The solve rates of two runs on the problems of both."""

    first: str
    second: str
    num_problems: int
    num_better: int
    """Problems that the second run solves more often."""
    num_worse: int
    first_rate: Share
    second_rate: Share
    difference: Share
    """Second minus first."""


def compare_rates(
    first: str, second: str, first_rates: Mapping[str, float], second_rates: Mapping[str, float]
) -> RunComparison:
    """Compare solve rates by problem.

    Args:
        first: the run that is compared with.
        second: the run that is compared.
        first_rates: by problem, in [0, 1].
        second_rates: the same.

    Raises:
        ValueError: no problem is in both.
    """
    shared = sorted(first_rates.keys() & second_rates.keys())
    if not shared:
        raise ValueError(
            f"expected runs with problems in common, got {len(first_rates)} of {first} and "
            f"{len(second_rates)} others of {second}"
        )
    columns = np.array([[first_rates[name], second_rates[name]] for name in shared])
    gains = columns[:, 1] - columns[:, 0]
    return RunComparison(
        first=first,
        second=second,
        num_problems=len(shared),
        num_better=int((gains > 0).sum()),
        num_worse=int((gains < 0).sum()),
        first_rate=_share(columns[:, 0], (0.0, 1.0)),
        second_rate=_share(columns[:, 1], (0.0, 1.0)),
        difference=_share(gains, (-1.0, 1.0)),
    )


def _share(values: np.ndarray, bounds: tuple[float, float]) -> Share:
    means = bootstrap_mean(
        values[:, None],
        num_resamples=_RESAMPLES,
        confidence=_CONFIDENCE,
        seed=_SEED,
        bounds=bounds,
    )
    low, high = means.interval(0)
    return Share(value=float(means.value[0]), low=low, high=high)
