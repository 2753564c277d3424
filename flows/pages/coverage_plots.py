"""Coverage against the number of samples with the law that fits it, as a PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flows.pages.canvas import BLUE, GREEN, ORANGE, PINK, RED, add_legend, open_panels, save
from schemas.rows import Metric
from tasks.evaluation.statistics.coverage import CoverageFit

_STYLES = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (ORANGE, "v"), (PINK, "D"))
_BEYOND = 16
"""How many times the largest measured number of samples the law is drawn to."""


def has_coverage_law(metrics: Sequence[Metric]) -> bool:
    """Whether a law was fitted."""
    return any(row.metric == "coverage_b" for row in metrics)


def plot_coverage(
    metrics: Sequence[Metric],
    path: Path,
    *,
    title: str = "Coverage against the number of samples",
    names: dict[str, str] | None = None,
) -> None:
    """Write a PNG: the measured coverage of each policy with intervals, and its law beyond it.

    Args:
        metrics: rows of one or several policies, see `tasks.evaluation.solutions.coverage`.
        path: file to write.
        title: what the picture is about.
        names: what policies are called; None for their ids.

    Raises:
        ValueError: no coverage is given.
    """
    rows = [row for row in metrics if row.metric == "coverage" and row.bin == "all"]
    if not rows:
        raise ValueError(f"expected coverage, got none among {len(metrics)} figures")
    figure, (axes,) = open_panels((8.0, 5.0))
    for place, policy in enumerate(dict.fromkeys(row.policy for row in rows)):
        color, marker = _STYLES[place % len(_STYLES)]
        points = sorted((r for r in rows if r.policy == policy), key=lambda r: r.budget or 0)
        ks = [row.budget or 0 for row in points]
        ends = [(row.ci_low, row.ci_high, k) for row, k in zip(points, ks, strict=True)]
        for low, high, k in ends:
            if low is not None and high is not None:
                axes.vlines(k, low, high, color=color, linewidth=1.5, alpha=0.6)
        fit = _fit_of(metrics, policy)
        words = (names or {}).get(policy, policy)
        if fit is not None:
            words += f": log c = {fit.a:.2f} k^{fit.b:.2f}"
            for low, high, line in ((ks[0], ks[-1], "-"), (ks[-1], ks[-1] * _BEYOND, "--")):
                grid = np.geomspace(low, high, 60)
                law = [fit.coverage(k) for k in grid]
                axes.plot(grid, law, color=color, linestyle=line, linewidth=1.8)
        values = [row.value for row in points]
        axes.plot(ks, values, color=color, marker=marker, linestyle="none", label=words)
    axes.set_xscale("log", base=2)
    measured = sorted({row.budget or 0 for row in rows})
    ticks = [*measured, measured[-1] * _BEYOND]
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.minorticks_off()
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("samples per problem, k; dashed: the law beyond what was measured")
    axes.set_ylabel("coverage: problems that a sample solves")
    axes.set_title(f"{title} ({max(r.num_problems for r in rows)} problems)", loc="left")
    add_legend(figure, axes, 1)
    save(figure, path)


def _fit_of(metrics: Sequence[Metric], policy: str) -> CoverageFit | None:
    found = {row.metric: row.value for row in metrics if row.policy == policy and row.bin == "all"}
    if "coverage_a" not in found or "coverage_b" not in found:
        return None
    return CoverageFit(found["coverage_a"], found["coverage_b"], found.get("coverage_error", 0.0))
