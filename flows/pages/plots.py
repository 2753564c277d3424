"""Metrics as pictures: accuracy against N, accuracy by bin, reliability of a verifier."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.pages.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PINK,
    RED,
    SKY,
    add_legend,
    open_panels,
    save,
)
from flows.tables.accuracies import accuracies_by_bin
from flows.tables.names import RANKERS, UPPER_BOUND, sort_strategies
from schemas.metric_names import Name, strategy_type
from schemas.rows import Metric
from tasks.verifiers.quality import CalibrationBin, expected_calibration_error

_STYLES = {
    UPPER_BOUND: ("#666666", "s"),
    "majority": (BLUE, "o"),
    "likelihood": (ORANGE, "v"),
    "best_of_n": (RED, "^"),
    "gated": ("#F0E442", "P"),
    "filter": (SKY, "X"),
    "weighted": (GREEN, "D"),
    "likelihood+logit": (PINK, "p"),
}
"""Colour and marker of each family of strategies."""
_SHOWN = (UPPER_BOUND, "majority", "likelihood", "best_of_n", "weighted", "likelihood+logit")


def plot_accuracy(
    metrics: Sequence[Metric],
    path: Path,
    *,
    title: str = "Accuracy against the number of candidates",
    bin_name: str = "all",
    strategies: Sequence[str] | None = None,
) -> None:
    """Write a PNG of accuracy against N, a line and an interval band per strategy.

    Args:
        metrics: rows of one policy and verifier.
        path: file to write.
        title: what the picture is about; the number of problems is added.
        bin_name: the bin of problems.
        strategies: None for one of each family.

    Raises:
        ValueError: no accuracy of the bin is given.
    """
    rows = [m for m in metrics if m.metric == "accuracy" and m.bin == bin_name]
    shown = _choose(rows, strategies)
    figure, (axes,) = open_panels((8.0, 5.0))
    ends: list[tuple[float, str]] = []
    for strategy in shown:
        points = sorted((m for m in rows if m.strategy == strategy), key=lambda m: m.budget or 0)
        color, marker, words = _family(strategy)
        budgets = [m.budget for m in points]
        values = [m.value for m in points]
        axes.plot(
            budgets,
            values,
            color=color,
            marker=marker,
            markersize=6,
            linewidth=2,
            linestyle="--" if strategy == UPPER_BOUND else "-",
            label=words,
        )
        banded = [m for m in points if m.ci_low is not None]
        axes.fill_between(
            [m.budget for m in banded],
            [m.ci_low for m in banded],
            [m.ci_high for m in banded],
            color=color,
            alpha=0.12,
            linewidth=0,
        )
        ends.append((values[-1], color))
    budgets = sorted({m.budget for m in rows if m.strategy in shown and m.budget is not None})
    axes.set_xscale("log", base=2)
    axes.set_xticks(budgets, [str(budget) for budget in budgets])
    axes.minorticks_off()
    axes.set_xlabel("candidates per problem, N")
    axes.set_ylabel("accuracy")
    low = min(m.ci_low if m.ci_low is not None else m.value for m in rows if m.strategy in shown)
    axes.set_ylim(max(0.0, low - 0.05), 1.02)
    _label_ends(axes, budgets[-1], ends)
    num_problems = max(m.num_problems for m in rows)
    where = "" if bin_name == "all" else f"{bin_name}, "
    _set_title(axes, title, f"{where}{num_problems} problems; bands: bootstrap intervals")
    add_legend(figure, axes, 2 if len(shown) > 3 else 1)
    save(figure, path)


def plot_bins(
    metrics: Sequence[Metric],
    path: Path,
    *,
    kind: str,
    budget: int,
    strategies: Sequence[str] | None = None,
) -> None:
    """Write a PNG of bars: accuracy at one budget by level, subject or quintile.

    Args:
        metrics: rows of one policy and verifier.
        path: file to write.
        kind: `level`, `subject`, `oracle_quintile` or `model_quintile`.
        budget: candidates per problem.
        strategies: None for one of each family.

    Raises:
        ValueError: no accuracy in bins of this kind at this budget is given.
    """
    found = accuracies_by_bin(metrics, kind, budget)
    shown = _choose([m for _, m in found], strategies)
    sizes = {where: m.num_problems for where, m in found}
    bins = sorted(sizes, key=lambda where: where.order)
    figure, (axes,) = open_panels((max(8.0, 1.3 * len(bins) + 2.0), 5.0))
    width = 0.8 / len(shown)
    for index, strategy in enumerate(shown):
        cells = {where: m for where, m in found if m.strategy == strategy}
        color, _, words = _family(strategy)
        for place, where in enumerate(bins):
            if where not in cells:
                continue
            cell = cells[where]
            x = place + (index - (len(shown) - 1) / 2) * width
            label = words if where == next(b for b in bins if b in cells) else None
            axes.bar(x, cell.value, width * 0.9, color=color, label=label)
            if cell.ci_low is not None and cell.ci_high is not None:
                axes.vlines(x, cell.ci_low, cell.ci_high, color=INK, linewidth=1)
    axes.set_xticks(
        range(len(bins)), [f"{where.value}\n({sizes[where]} problems)" for where in bins]
    )
    axes.set_ylim(0.0, 1.02)
    axes.set_ylabel("accuracy")
    words = kind.replace("_", " ")
    axes.set_xlabel(words if kind == "subject" else f"{words} (1 is easiest)")
    _set_title(axes, f"Accuracy by {words} at N = {budget}", "lines: bootstrap intervals")
    add_legend(figure, axes, 2 if len(shown) > 3 else 1)
    save(figure, path)


def plot_reliability(
    table: Sequence[CalibrationBin],
    path: Path,
    *,
    title: str = "Reliability of the verifier's step scores",
) -> None:
    """Write a PNG of label rate against mean score per bin, with the number of steps below.

    Raises:
        ValueError: every bin is empty.
    """
    known = [row for row in table if row.mean_score is not None]
    if not known:
        raise ValueError("expected a bin with steps, got none")
    figure, (upper, lower) = open_panels((6.0, 6.2), 2, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="perfectly calibrated")
    upper.plot(
        [row.mean_score for row in known],
        [row.rate for row in known],
        color=BLUE,
        marker="o",
        linewidth=2,
        label="verifier",
    )
    upper.set_ylabel("share of steps that are right")
    upper.set_ylim(-0.02, 1.02)
    upper.legend(loc="upper left", frameon=False)
    lower.bar(
        [(row.low + row.high) / 2 for row in table],
        [row.count for row in table],
        [0.9 * (row.high - row.low) for row in table],
        color=SKY,
    )
    lower.set_ylabel("steps")
    lower.set_xlabel("score")
    lower.set_xlim(-0.02, 1.02)
    error = expected_calibration_error(table)
    total = sum(row.count for row in table)
    _set_title(upper, title, f"{total:,} steps, expected calibration error {error:.3f}")
    save(figure, path)


def _choose(rows: Sequence[Metric], strategies: Sequence[str] | None) -> list[str]:
    """The strategies to show: those given, or the first of each main family."""
    present = sort_strategies({m.strategy for m in rows})
    if strategies is None:
        firsts = (next((s for s in present if strategy_type(s) == f), None) for f in _SHOWN)
        chosen = [s for s in firsts if s is not None]
    else:
        chosen = [s for s in strategies if s in present]
    if not chosen:
        raise ValueError(f"expected accuracies of {strategies or 'any strategy'}, got {present}")
    return chosen


def _family(strategy: str) -> tuple[str, str, str]:
    """Colour, marker and words of a strategy."""
    base, setting = strategy_type(strategy), Name.parse(strategy).setting
    if base not in _STYLES:
        return INK, "*", strategy
    words = RANKERS[base] if setting is None else f"{RANKERS[base]} [{setting}]"
    return *_STYLES[base], words


def _label_ends(axes: Any, x: float, ends: Sequence[tuple[float, str]]) -> None:
    """Write each line's last value beside it, pushed down where two would overlap."""
    bottom, top = axes.get_ylim()
    gap = (top - bottom) * 0.035
    place = float("inf")
    for value, color in sorted(ends, reverse=True):
        place = min(value, place - gap)
        axes.annotate(
            f"{value:.2f}",
            (x, place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=color,
            fontsize=9,
        )


def _set_title(axes: Any, title: str, detail: str) -> None:
    axes.set_title(f"{title}\n", loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.text(0, 1.02, detail, transform=axes.transAxes, fontsize=9, color="#666666")
