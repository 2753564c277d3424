"""How a gap grows with the horizon: a H^b by least squares of logarithms, and a sqrt(H)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFit:
    """gap = scale * H^exponent."""

    scale: float
    exponent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RootFit:
    """gap = scale * sqrt(H), by least squares."""

    scale: float
    unexplained: float
    """Share of the gap's variation over horizons that it leaves; above 1 it is worse than the
    mean."""


def fit_power(gaps: Mapping[int, float]) -> PowerFit | None:
    """The power law through gaps by horizon; None where a gap is not above 0.

    Raises:
        ValueError: fewer than two horizons.
    """
    _check(gaps)
    if min(gaps.values()) <= 0:
        return None
    x, y = [log(h) for h in gaps], [log(gap) for gap in gaps.values()]
    mean_x, mean_y = fmean(x), fmean(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum(
        (a - mean_x) ** 2 for a in x
    )
    return PowerFit(scale=exp(mean_y - slope * mean_x), exponent=slope)


def fit_root(gaps: Mapping[int, float]) -> RootFit:
    """The multiple of sqrt(H) nearest to gaps by horizon.

    Raises:
        ValueError: fewer than two horizons.
    """
    _check(gaps)
    scale = sum(gap * sqrt(h) for h, gap in gaps.items()) / sum(gaps)
    mean = fmean(gaps.values())
    left = sum((gap - scale * sqrt(h)) ** 2 for h, gap in gaps.items())
    varied = sum((gap - mean) ** 2 for gap in gaps.values())
    return RootFit(scale=scale, unexplained=left / varied if varied else 0.0)


def _check(gaps: Mapping[int, float]) -> None:
    if len(gaps) < 2:
        raise ValueError(f"expected gaps at two horizons or more, got {len(gaps)}")
