"""Accuracy of models of several sizes against operations, a panel per strategy, as a PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.pages.canvas import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    RED,
    add_legend,
    open_panels,
    save,
    set_heading,
)
from flows.pages.coverage_plots import has_coverage_law, plot_coverage
from flows.pages.pictures import pictures_folder
from schemas.rows import Metric
from storage import Store
from tasks.evaluation.searches.equal_flops import ONE

_STYLES = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (ORANGE, "v"), (PINK, "D"))


def draw_sizes(
    store: Store,
    run_id: str,
    metrics: Sequence[Metric],
    coverage: Mapping[str, Sequence[Metric]],
) -> list[str]:
    """PNGs of an experiment's sizes: accuracy against operations, and coverage with its law.

    Args:
        store: where they go.
        run_id: the experiment's run.
        metrics: figures at equal operations, see `tasks.evaluation.searches.equal_flops`.
        coverage: by size, figures of its coverage.

    Returns:
        Their names in the store.
    """
    paths = []
    with store.scratch() as folder:
        paths.append(folder / "model-sizes.png")
        plot_sizes(metrics, paths[0])
        rows = [row for of_size in coverage.values() for row in of_size]
        if has_coverage_law(rows):
            names = {row.policy: name for name, of_size in coverage.items() for row in of_size}
            paths.append(folder / "model-sizes-coverage.png")
            plot_coverage(rows, paths[1], names=names)
        for path in paths:
            store.put_file(path, f"{pictures_folder(run_id)}/{path.name}")
    return [f"{pictures_folder(run_id)}/{path.name}" for path in paths]


def plot_sizes(metrics: Sequence[Metric], path: Path) -> None:
    """Write a PNG: accuracy against operations per problem, a panel per strategy, a line per size.

    Lines begin at one sample, the model without search; hollow markers show it.

    Raises:
        ValueError: no accuracy of a search is given.
    """
    strategies = list(
        dict.fromkeys(r.strategy for r in metrics if r.metric == "accuracy" and r.strategy != ONE)
    )
    if not strategies:
        raise ValueError(f"expected accuracies of searches, got none among {len(metrics)} figures")
    sizes = list(dict.fromkeys(row.arm for row in metrics if row.metric == "accuracy"))
    size = (4.2 * len(strategies) + 0.5, 4.4)
    figure, panels = open_panels(size, num_columns=len(strategies), sharey=True)
    for axes, strategy in zip(panels, strategies, strict=True):
        for place, name in enumerate(sizes):
            _draw(axes, metrics, strategy, name or "", _STYLES[place % len(_STYLES)])
        axes.set_xscale("log")
        axes.set_ylim(-0.02, 1.02)
        axes.set_title(strategy, loc="left", fontsize=10)
        axes.set_xlabel("operations per problem: policy and verifier", fontsize=9)
    panels[0].set_ylabel("accuracy")
    add_legend(figure, panels[0], len(sizes))
    set_heading(figure, "Which model, how much search: accuracy at equal operations")
    save(figure, path)


def _draw(
    axes: Any, metrics: Sequence[Metric], strategy: str, size: str, style: tuple[str, str]
) -> None:
    color, marker = style
    rows = [row for row in metrics if row.arm == size and row.strategy in (ONE, strategy)]
    flops = {(row.strategy, row.budget): row.value for row in rows if row.metric == "flops"}
    points = sorted(
        ((flops[row.strategy, row.budget], row) for row in rows if row.metric == "accuracy"),
        key=lambda point: point[0],
    )
    axes.plot(
        [spent for spent, _ in points],
        [row.value for _, row in points],
        color=color,
        marker=marker,
        linewidth=1.8,
        label=size,
    )
    for spent, row in points:
        if row.strategy == ONE:
            axes.plot(spent, row.value, color=color, marker=marker, markerfacecolor="white")
        if row.ci_low is not None and row.ci_high is not None:
            axes.vlines(spent, row.ci_low, row.ci_high, color=color, linewidth=1, alpha=0.5)
