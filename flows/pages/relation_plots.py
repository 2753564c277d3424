"""Measured relations as a forest plot: the difference of each, with its interval, against 0."""

from collections.abc import Sequence
from pathlib import Path

from flows.pages.canvas import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    RED,
    add_legend,
    open_panels,
    save,
    set_heading,
)
from schemas.rows import MeasuredRelation

_LOOK = {
    "holds": (BLUE, "o"),
    "within the noise": (GREY, "s"),
    "does not hold": (RED, "^"),
    None: (ORANGE, "x"),
}
_LARGE = 10.0
"""Differences of counts, such as tokens, are drawn relative to the smaller side."""


def plot_relations(rows: Sequence[MeasuredRelation], path: Path, *, title: str) -> None:
    """Write a PNG: a line per relation that has a difference, from the top.

    Shares are drawn as they are, larger figures (tokens) relative to the smaller side.

    Raises:
        ValueError: no relation has a difference.
    """
    drawn = [row for row in rows if row.difference is not None]
    if not drawn:
        raise ValueError("expected a relation with a difference, got none")
    figure, (axes,) = open_panels((8.6, 1.5 + 0.34 * len(drawn)))
    for verdict, (color, marker) in _LOOK.items():
        chosen = [(-place, row) for place, row in enumerate(drawn) if row.verdict == verdict]
        if not chosen:
            continue
        values = [_relative(row, row.difference) for _, row in chosen]
        lows = [_relative(row, row.difference_low) for _, row in chosen]
        highs = [_relative(row, row.difference_high) for _, row in chosen]
        axes.errorbar(
            values,
            [height for height, _ in chosen],
            xerr=[
                [value - low for value, low in zip(values, lows, strict=True)],
                [high - value for value, high in zip(values, highs, strict=True)],
            ],
            color=color,
            marker=marker,
            linestyle="none",
            capsize=3,
            linewidth=2,
            label=verdict or "no verdict",
        )
    axes.axvline(0.0, color=INK, linewidth=1)
    for place, row in enumerate(drawn):
        if row.margin:
            axes.plot([row.margin] * 2, [-place - 0.35, -place + 0.35], color=INK, linestyle=":")
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    names = [f"{row.relation} {row.point}".strip() for row in drawn]
    axes.set_yticks([-place for place in range(len(drawn))], names, fontsize=8)
    axes.set_ylim(-len(drawn) + 0.4, 0.6)
    axes.set_xlabel("difference in the claimed direction, with its 95% interval")
    add_legend(figure, axes, 4)
    set_heading(figure, title)
    save(figure, path)


def _relative(row: MeasuredRelation, value: float | None) -> float:
    """A difference as it is drawn; without an interval its end is the difference."""
    assert row.difference is not None
    found = row.difference if value is None else value
    whole = abs(row.smaller_value or 0.0)
    return found / whole if whole >= _LARGE else found
