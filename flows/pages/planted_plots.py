"""The planted-subsequence study as pictures: gaps against data and horizon, arms and limits."""

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

from flows.pages.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    SKY,
    add_legend,
    open_panels,
    save,
    set_heading,
)
from schemas.experiments.verification import VerificationExperimentConfig, cell_name
from schemas.rows import Metric
from tasks.evaluation.statistics.intervals import mean_interval

_SPREAD_COLORS = (GREY, BLUE, GREEN, ORANGE, RED, PINK, SKY)
_ARMS = {
    "vf": ("imitation of right traces (VF)", BLUE, "o"),
    "vb_rl": ("RL on the verifier (VB)", RED, "^"),
    "vb_bon": ("best of N by the verifier (VB)", ORANGE, "D"),
}


def plot_gaps(metrics: Sequence[Metric], path: Path, config: VerificationExperimentConfig) -> None:
    """Write a PNG: the reward of RL on the verifier less that of imitation.

    A panel per hold, against n; and one against the horizon, with the multiples of its square root
    that fit. A line is a mixture, its band the 95% interval over seeds (Student's t).
    """
    num_panels = len(config.holds) + bool(config.horizons)
    figure, panels = open_panels((4.2 * num_panels, 4.4), 1, num_panels)
    values = _by_seed(metrics, "gap", "vb_rl")
    for axes, hold in zip(panels, config.holds, strict=False):
        for color, spread in zip(_SPREAD_COLORS, (0.0, *hold.spreads), strict=False):
            cell = cell_name(hold.hold if spread else "one", spread, config.horizon, "bilevel")
            points = {num: values.get((cell, num), []) for num in sorted(config.nums)}
            _draw(axes, points, color, "o", f"spread {spread:g}")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(config.nums), [f"{num:,}" for num in sorted(config.nums)])
        axes.minorticks_off()
        axes.set_xlabel("traces, n")
        axes.set_title(f"equal {_HELD[hold.hold]}, H = {config.horizon}", loc="left", fontsize=10)
    if config.horizons:
        _draw_horizons(panels[-1], values, config)
    panels[0].set_ylabel("mean reward of VB-RL less that of VF")
    for axes in panels:
        axes.axhline(0, color=GREY, linewidth=0.8)
    widest = max(range(len(config.holds)), key=lambda at: len(config.holds[at].spreads))
    add_legend(figure, panels[widest], 4)
    set_heading(figure, f"What a verifier buys, {config.num_seeds} seeds, 95% intervals")
    save(figure, path)


def plot_arms(metrics: Sequence[Metric], path: Path, config: VerificationExperimentConfig) -> None:
    """Write a PNG: every arm's reward against n, with its limit, a panel per mixture of a hold."""
    hold = config.holds[0]
    spreads = (0.0, *hold.spreads)
    figure, panels = open_panels((4.2 * len(spreads), 4.4), 1, len(spreads), sharey=True)
    limits = {(m.set_name, m.metric): m.value for m in metrics if m.strategy == "exact"}
    shown = [
        cell_name(hold.hold if spread else "one", spread, config.horizon, "bilevel")
        for spread in spreads
    ]
    for axes, spread, cell in zip(panels, spreads, shown, strict=True):
        for arm, (words, color, marker) in _ARMS.items():
            values = _by_seed(metrics, "reward", arm)
            points = {num: values.get((cell, num), []) for num in sorted(config.nums)}
            _draw(axes, points, color, marker, words)
        for arm, words, style in (("base", "base", "-"), ("base_cold", "base, colder", "--")):
            rewards = _by_seed(metrics, "reward", arm).get((cell, None), [])
            if rewards:
                axes.axhline(fmean(rewards), color=GREY, linestyle=style, label=words)
        axes.axhline(limits[cell, "imitation_limit"], color=BLUE, linestyle=":", label="VF's limit")
        axes.axhline(limits[cell, "verifier_limit"], color=RED, linestyle=":", label="VB's limit")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(config.nums), [f"{num:,}" for num in sorted(config.nums)])
        axes.minorticks_off()
        axes.set_xlabel("traces, n")
        low, high = config.reference - spread, config.reference + spread
        skills = f"{low:g}, {high:g}" if spread else f"{low:g}"
        axes.set_title(f"skills {skills}", loc="left", fontsize=10)
    panels[0].set_ylabel("mean reward")
    panels[0].set_ylim(0, 1.05 * max(limits[name, "verifier_limit"] for name in shown))
    add_legend(figure, panels[0], 4)
    set_heading(figure, f"Equal {_HELD[hold.hold]}, H = {config.horizon}")
    save(figure, path)


_HELD = {
    "gamma": "mean skill",
    "success": "success",
    "reward": "mean reward",
    "expert": "reward of right traces",
}


def _draw_horizons(
    axes: Any,
    values: Mapping[tuple[str, int | None], Sequence[float]],
    config: VerificationExperimentConfig,
) -> None:
    num, horizons = config.horizon_num, sorted(config.horizons)
    of_spread = dict(zip((0.0, *config.holds[0].spreads), _SPREAD_COLORS, strict=False))
    for spread in config.horizon_spreads:
        hold = "gamma" if spread else "one"
        points = {
            horizon: values.get((cell_name(hold, spread, horizon, "bilevel"), num), [])
            for horizon in horizons
        }
        color = of_spread.get(spread, PINK)
        _draw(axes, points, color, "o", f"spread {spread:g}")
        means = {horizon: fmean(found) for horizon, found in points.items() if found}
        if means:
            scale = sum(gap * sqrt(h) for h, gap in means.items()) / sum(means)
            axes.plot(
                horizons,
                [scale * sqrt(horizon) for horizon in horizons],
                color=color,
                linestyle="--",
                linewidth=1,
            )
    axes.set_xticks(horizons)
    axes.set_xlabel("horizon, H (dashed: a sqrt(H))")
    axes.set_title(f"equal mean skill, n = {num:,}", loc="left", fontsize=10)


def _draw(
    axes: Any, points: Mapping[int, Sequence[float]], color: str, marker: str, label: str
) -> None:
    """A line of means over seeds with the band of their intervals."""
    found = {x: list(values) for x, values in points.items() if values}
    means = [fmean(values) for values in found.values()]
    axes.plot([*found], means, color=color, marker=marker, linewidth=2, label=label)
    ends = {x: mean_interval(values) for x, values in found.items() if len(values) > 1}
    axes.fill_between(
        [*ends],
        [low for low, _ in ends.values()],
        [high for _, high in ends.values()],
        color=color,
        alpha=0.12,
        linewidth=0,
    )


def _by_seed(
    metrics: Sequence[Metric], metric: str, strategy: str
) -> dict[tuple[str, int | None], list[float]]:
    """The figure of every seed, by cell and n."""
    found: dict[tuple[str, int | None], list[float]] = {}
    for row in metrics:
        if row.metric == metric and row.strategy == strategy and row.against in (None, "vf"):
            found.setdefault((row.set_name or "", row.budget), []).append(row.value)
    return found
