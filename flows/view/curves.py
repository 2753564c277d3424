"""Figures with intervals as a picture: a line and a band per series, laid out for a template.

The places on the axis below are evenly spaced, whatever they are: budgets that double, levels,
rounds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 660, 340
MAX_SERIES = 8
"""Colours, with a marker each, that are told apart."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 26, 44


@dataclass(frozen=True, slots=True)
class Point:
    """A figure with its interval, and where it is drawn."""

    words: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Series:
    """A line through its points and the band of their intervals, as SVG paths."""

    name: str
    line: str
    band: str
    points: list[Point]


@dataclass(frozen=True, slots=True)
class Chart:
    """A laid-out picture."""

    x_words: str
    y_words: str
    ticks_x: list[tuple[float, str]]
    ticks_y: list[tuple[float, str]]
    series: list[Series]
    left_out: list[str]
    """Series for which there is no further colour."""


Figure = tuple[float, float | None, float | None, int]
"""A value, the ends of its interval, and the number of problems behind it."""


def lay_out(
    series: Mapping[str, Mapping[str, Figure]], places: Sequence[str], x_words: str, y_words: str
) -> Chart:
    """A picture of series of figures.

    Args:
        series: by name, the figures by place.
        places: the places on the axis below, in order.
        x_words: what the places are.
        y_words: what the figures are.
    """
    shown = dict(list(series.items())[:MAX_SERIES])
    ends = [
        end
        for figures in shown.values()
        for value, low, high, _ in figures.values()
        for end in (value, low, high)
        if end is not None
    ]
    ticks = _ticks(min(ends), max(ends))
    low, high = ticks[0], ticks[-1]
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(places))

    def at_x(place: str) -> float:
        return round(_LEFT + step * (places.index(place) + 0.5), 1)

    def at_y(value: float) -> float:
        return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low), 1)

    return Chart(
        x_words=x_words,
        y_words=y_words,
        ticks_x=[(at_x(place), place) for place in places],
        ticks_y=[(at_y(tick), f"{tick:.10g}") for tick in ticks],
        series=[_series(name, figures, places, at_x, at_y) for name, figures in shown.items()],
        left_out=list(series)[MAX_SERIES:],
    )


def _series(name, figures, places, at_x, at_y) -> Series:
    there = [place for place in places if place in figures]
    points, upper, lower = [], [], []
    for place in there:
        value, low, high, num = figures[place]
        interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        words = f"{name} at {place}: {value:.3f}{interval}, {num:,} problems"
        points.append(Point(words, at_x(place), at_y(value)))
        if low is not None and high is not None:
            upper.append(f"{at_x(place)} {at_y(high)}")
            lower.append(f"{at_x(place)} {at_y(low)}")
    line = "M" + " L".join(f"{point.x} {point.y}" for point in points)
    band = f"M{' L'.join([*upper, *reversed(lower)])} Z" if len(upper) > 1 else ""
    return Series(name, line, band, points)


def _ticks(low: float, high: float) -> list[float]:
    """Round values from below the lowest to above the highest."""
    span = (high - low) or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(span))
    step *= next(factor for factor in (0.2, 0.5, 1.0, 2.0) if span / (step * factor) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * n, 10) for n in range(first, max(last, first + 1) + 1)]
