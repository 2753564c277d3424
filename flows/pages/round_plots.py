"""A loop's rounds as a picture: the figures of each policy, a curve per arm."""

from collections.abc import Sequence
from pathlib import Path

from flows.pages.canvas import (
    BLUE,
    GREEN,
    PINK,
    RED,
    add_legend,
    open_panels,
    save,
    set_heading,
)
from flows.tables.rounds import measured_names
from schemas.rows import Metric
from tasks.evaluation.rounds import arms_of, figures_of, labels_of, round_order

_STYLES = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (PINK, "D"))
_DODGE = 0.06
"""How far an arm's points are moved, in rounds, so that they do not hide those of another."""


def plot_rounds(metrics: Sequence[Metric], path: Path, *, title: str) -> None:
    """Write a PNG: a panel per figure, a curve with intervals per arm.

    Args:
        metrics: the rows of all rounds and arms of one loop.
        path: file to write.
        title: what the picture is about.
    """
    names = measured_names(metrics)
    labels = list(dict.fromkeys(x for arm in arms_of(metrics) for x in labels_of(metrics, arm)))
    labels.sort(key=round_order)
    size = (3.6 * len(names) + 0.4, 4.0)
    figure, panels = open_panels(size, num_columns=len(names), sharey=True)
    for axes, name in zip(panels, names, strict=True):
        for place, arm in enumerate(arms_of(metrics)):
            color, marker = _STYLES[place % len(_STYLES)]
            points = [
                (labels.index(label), row)
                for label in labels_of(metrics, arm)
                if (row := figures_of(metrics, arm, label).get(name)) is not None
            ]
            axes.errorbar(
                [x + _DODGE * place for x, _ in points],
                [row.value for _, row in points],
                yerr=[
                    [row.value - _bound(row.ci_low, row) for _, row in points],
                    [_bound(row.ci_high, row) - row.value for _, row in points],
                ],
                color=color,
                marker=marker,
                capsize=3,
                linewidth=2,
                label=arm,
            )
        axes.set_title(name, fontsize=10)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlabel("round")
    panels[0].set_ylabel("share of problems")
    add_legend(figure, panels[0], 4)
    set_heading(figure, title)
    save(figure, path)


def _bound(end: float | None, row: Metric) -> float:
    return row.value if end is None else end
