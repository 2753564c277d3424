"""Accuracy against tokens spent, one curve per strategy, one panel per difficulty: as a PNG."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.pages import canvas
from flows.tables.searches import main_rows, main_strategies
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.searches.compute_optimal_figures import OPTIMAL

_STYLES = (
    (canvas.INK, "o"),
    (canvas.BLUE, "^"),
    (canvas.RED, "s"),
    (canvas.GREEN, "D"),
    (canvas.PINK, "v"),
    (canvas.ORANGE, "P"),
    (canvas.SKY, "X"),
    ("#8B5A2B", "p"),
)
_KINDS = ("oracle_quintile", "level", "model_quintile")
_PANELS_A_ROW = 3


def plot_searches(
    metrics: Sequence[Metric],
    path: Path,
    *,
    title: str = "Accuracy against tokens spent per problem",
    kind: str | None = None,
) -> None:
    """Write a PNG: all problems and each bin of one kind, a curve and intervals per strategy.

    Tokens are those that the policy wrote and the verifier computed. The first panel also shows
    compute-optimal selection by oracle difficulty: filled at the tokens of its searches, hollow at
    those tokens plus the ones spent on estimating the difficulty.

    Args:
        metrics: figures of one policy's searches.
        path: file to write.
        title: what the picture is about.
        kind: kind of bins; None for the first measured of oracle quintile, level, model quintile.

    Raises:
        ValueError: no accuracy is given.
    """
    strategies = main_strategies(metrics)
    if not any(row.metric == "accuracy" for row in metrics):
        raise ValueError(f"expected accuracies of searches, got none among {len(metrics)} figures")
    bins = [Bin(), *_bins(metrics, kind)]
    num_rows = math.ceil(len(bins) / _PANELS_A_ROW)
    num_columns = min(len(bins), _PANELS_A_ROW)
    size = (4.2 * num_columns + 0.5, 3.4 * num_rows + 1.2)
    figure, panels = canvas.open_panels(size, num_rows, num_columns, sharey=True)
    for axes, where in zip(panels, bins, strict=False):
        rows = [row for row in metrics if row.bin == str(where)]
        mains = main_rows(rows)
        for strategy, (color, marker) in zip(strategies, _cycle(len(strategies)), strict=True):
            _draw(axes, mains, strategy, color=color, marker=marker)
        if where == Bin():
            _draw_optimal(axes, rows)
        _finish(axes, rows, where)
    for axes in panels[len(bins) :]:
        axes.set_visible(False)
    for axes in panels[::num_columns]:
        axes.set_ylabel("accuracy")
    canvas.add_legend(figure, panels[0], 3)
    canvas.set_heading(figure, title)
    canvas.save(figure, path)


def _bins(metrics: Sequence[Metric], kind: str | None) -> list[Bin]:
    """The bins of a kind, the easiest first."""
    bins = {Bin.parse(row.bin) for row in metrics if row.metric == "tokens"}
    for name in _KINDS if kind is None else (kind,):
        found = [where for where in bins if where == Bin(name, where.value)]
        if found:
            return sorted(found, key=lambda where: where.order)
    return []


def _cycle(num: int) -> list[tuple[str, str]]:
    return [_STYLES[index % len(_STYLES)] for index in range(num)]


def _points(rows: Sequence[Metric], tokens: Sequence[str]) -> list[tuple[float, Metric]]:
    """Tokens and accuracy of one strategy at each N, in order of N."""
    spent: dict[int | None, float] = {}
    for row in rows:
        if row.metric in tokens:
            spent[row.budget] = spent.get(row.budget, 0.0) + row.value
    found = [row for row in rows if row.metric == "accuracy"]
    found.sort(key=lambda row: row.budget or 0)
    return [(spent[row.budget], row) for row in found if spent.get(row.budget)]


def _draw(axes: Any, rows: Sequence[Metric], strategy: str, *, color: str, marker: str) -> None:
    points = _points([row for row in rows if row.strategy == strategy], ("tokens",))
    if not points:
        return
    axes.plot(
        [tokens for tokens, _ in points],
        [row.value for _, row in points],
        color=color,
        marker=marker,
        markersize=5,
        linewidth=1.8,
        label=strategy,
    )
    for tokens, row in points:
        if row.ci_low is not None and row.ci_high is not None:
            axes.vlines(tokens, row.ci_low, row.ci_high, color=color, linewidth=1, alpha=0.5)


def _draw_optimal(axes: Any, rows: Sequence[Metric]) -> None:
    chosen = [row for row in rows if (row.strategy, row.pick) == (OPTIMAL, "oracle_quintile")]
    style = {"color": canvas.GREY, "marker": "*", "markersize": 9, "linewidth": 1.5}
    for tokens, line, label in (
        (("generated_tokens", "scored_tokens"), "--", "compute-optimal, difficulty known"),
        (("tokens",), ":", "compute-optimal, difficulty paid for"),
    ):
        points = _points(chosen, tokens)
        if points:
            face = canvas.GREY if line == "--" else "none"
            axes.plot(
                [spent for spent, _ in points],
                [row.value for _, row in points],
                linestyle=line,
                markerfacecolor=face,
                label=label,
                **style,
            )


def _finish(axes: Any, rows: Sequence[Metric], where: Bin) -> None:
    sizes = [row.num_problems for row in rows if row.metric == "accuracy"]
    words = f"{where.kind.replace('_', ' ')} {where.value}" if where.kind else "all problems"
    axes.set_title(f"{words} ({max(sizes, default=0)})", loc="left", fontsize=10)
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("tokens per problem: written and verified", fontsize=9)
