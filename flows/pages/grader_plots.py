"""What judges and ensembles get wrong, by level and by length, as bars: a PNG."""

from collections.abc import Sequence
from pathlib import Path

from flows.pages import canvas
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.graders import measured_graders

_RATES = {
    "false_positive_rate": ("wrong called right", canvas.RED),
    "false_negative_rate": ("right called wrong", canvas.BLUE),
    "undecided_rate": ("no verdict", canvas.GREY),
}
_WIDTH = 0.84 / len(_RATES)


def plot_graders(metrics: Sequence[Metric], path: Path) -> None:
    """Write a PNG with a panel per policy, grader and grader that it is measured against.

    Args:
        metrics: figures of graders of one set.
        path: file to write.

    Raises:
        ValueError: no grader was measured.
    """
    measured = measured_graders(metrics)
    if not measured:
        raise ValueError(f"expected figures of graders among {len(metrics)} figures, got none")
    places = {
        key: sorted({Bin.parse(row.bin) for row in rows}, key=lambda w: (w.kind or "", *w.order))
        for key, rows in measured.items()
    }
    widest = max(map(len, places.values()))
    figure, panels = canvas.open_panels(
        (max(8.0, 0.8 * widest + 2.0), 4.0 * len(measured)), len(measured)
    )
    for axes, (key, rows) in zip(panels, measured.items(), strict=True):
        found = {(Bin.parse(row.bin), row.metric): row for row in rows}
        for index, (metric, (words, color)) in enumerate(_RATES.items()):
            bars = {
                place + (index - 1) * _WIDTH: found[where, metric]
                for place, where in enumerate(places[key])
                if (where, metric) in found
            }
            canvas.draw_bars(axes, bars, _WIDTH * 0.9, color=color, words=words)
        names = [_bin_words(where) for where in places[key]]
        axes.set_xticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(0.0, 1.02)
        axes.set_ylabel("share of solutions")
        axes.set_title(f"{key[1]} against {key[2]}", fontsize=9)
    canvas.set_heading(figure, "What graders get wrong")
    canvas.add_legend(figure, panels[0], len(_RATES))
    canvas.save(figure, path)


def _bin_words(where: Bin) -> str:
    if where.kind is None:
        return "all"
    return f"{where.kind.replace('_', ' ')}\n{where.value}"
