"""What all pictures share: a figure without a display, plain axes, a legend below, a PNG.

Colours are Okabe and Ito's, which colour-blind readers can distinguish; markers differ as well.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.rows import Metric

INK = "#333333"
GREY = "#999999"
BLUE = "#0072B2"
RED = "#D55E00"
GREEN = "#009E73"
PINK = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"


def open_panels(
    size: tuple[float, float], num_rows: int = 1, num_columns: int = 1, **shape: Any
) -> tuple[Any, list[Any]]:
    """A figure and its panels, row by row; `shape` goes to matplotlib's `subplots`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(num_rows, num_columns, squeeze=False, **shape).flatten().tolist()
    for axes in panels:
        axes.grid(axis="y", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def draw_bars(
    axes: Any, bars: Mapping[float, Metric], width: float, *, color: str, words: str
) -> None:
    """Figures as bars at their places on the x axis, with their intervals, under one name."""
    label: str | None = words
    for x, cell in bars.items():
        axes.bar(x, cell.value, width, color=color, label=label)
        label = None
        if cell.ci_low is not None and cell.ci_high is not None:
            axes.vlines(x, cell.ci_low, cell.ci_high, color=INK, linewidth=1)


def add_legend(figure: Any, axes: Any, num_columns: int) -> None:
    """One legend below all panels, of the names in one of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=num_columns, frameon=False)


def set_heading(figure: Any, title: str) -> None:
    """A title over all panels."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")


def save(figure: Any, path: Path) -> None:
    """Write the PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
