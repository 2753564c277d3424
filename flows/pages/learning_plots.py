"""How fast trainings learn, in generated tokens: a PNG with a line per credit."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from flows.pages import canvas
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.learning import CURVE

_COLOURS = (canvas.BLUE, canvas.GREEN, canvas.ORANGE, canvas.RED, canvas.PINK, canvas.SKY)
_MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_learning(rows: Sequence[Metric], path: Path, *, budget: int) -> None:
    """Write a PNG: the share of right solutions against tokens, each seed thin, their mean thick.

    Args:
        rows: figures of `tasks.evaluation.learning`, of any number of credits and seeds.
        path: file to write.
        budget: tokens of each training.

    Raises:
        ValueError: there is no point of a curve.
    """
    curves: dict[str, dict[str, dict[float, float]]] = {}
    for row in rows:
        if row.metric == CURVE:
            lines = curves.setdefault(row.strategy, {})
            lines.setdefault(row.arm or "", {})[Bin.parse(row.bin).order[0]] = row.value
    if not curves:
        raise ValueError(f"expected points of curves among {len(rows)} figures")
    figure, (axes,) = canvas.open_panels((8.0, 4.8))
    for index, (credit, lines) in enumerate(curves.items()):
        look = {"color": _COLOURS[index % len(_COLOURS)]}
        ends = sorted(set.intersection(*map(set, lines.values())))
        middles = [end - ends[0] / 2 for end in ends]
        for line in lines.values():
            axes.plot(middles, [line[end] for end in ends], alpha=0.3, linewidth=0.8, **look)
        means = [fmean(line[end] for line in lines.values()) for end in ends]
        axes.plot(middles, means, marker=_MARKERS[index % len(_MARKERS)], label=credit, **look)
    axes.set_xlim(0, budget)
    axes.set_xlabel("generated tokens")
    axes.set_ylabel("share of right solutions drawn")
    canvas.add_legend(figure, axes, len(curves))
    canvas.set_heading(figure, "Learning by who divides the reward; mean and seeds")
    canvas.save(figure, path)
