"""What each token of a solution earns, drawn over its text: a PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.pages import canvas
from flows.tables.token_rewards import heading, lay_out_cells

_LINE_CHARACTERS = 96
_CHARACTER_IN = 0.088
_LINE_IN = 0.42
_HEADING_IN = 0.38
_FONT = 8.5
_PALEST = 0.08
_MAX_TOKENS = 300
"""Tokens of a solution that are drawn; a picture of thousands would be too tall to be drawn."""


def plot_token_rewards(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write a PNG: a block per row, tokens on boxes whose colours show what they earn.

    Blue is above zero and red below; the strongest colour is the row's largest reward.

    Args:
        rows: of the table token_rewards, without those that have an error.
        path: file to write.

    Raises:
        ValueError: there is no such row.
    """
    shown = [row for row in rows if row["error"] is None and row["rewards"]]
    if not shown:
        raise ValueError(f"expected rewarded solutions among {len(rows)} rows")
    blocks = [
        lay_out_cells(
            row["tokens"][:_MAX_TOKENS], row["rewards"][:_MAX_TOKENS], max_width=_LINE_CHARACTERS
        )
        for row in shown
    ]
    height = sum(_HEADING_IN + _LINE_IN * len(lines) for lines in blocks)
    widest = max(cell.begin + cell.width for lines in blocks for line in lines for cell in line)
    width = max(widest, *(len(_title(row)) for row in shown)) * _CHARACTER_IN + 0.3
    figure, axes = _open_page(width, height)
    top = height
    for row, lines in zip(shown, blocks, strict=True):
        top -= _HEADING_IN
        axes.text(0.1, top + 0.1, _plain(_title(row)), fontsize=_FONT, fontweight="bold")
        largest = max(map(abs, row["rewards"])) or 1.0
        for line in lines:
            top -= _LINE_IN
            for cell in line:
                _draw(axes, cell, top, strength=abs(cell.reward) / largest)
    canvas.save(figure, path)


def _title(row: Mapping[str, Any]) -> str:
    num = len(row["tokens"])
    return heading(row) + (f"; the first {_MAX_TOKENS} of them" if num > _MAX_TOKENS else "")


def _open_page(width: float, height: float) -> tuple[Any, Any]:
    """A figure without axes, measured in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0.0, width)
    axes.set_ylim(0.0, height)
    return figure, axes


def _draw(axes: Any, cell: Any, bottom: float, *, strength: float) -> None:
    """A token in its box, with its number above."""
    from matplotlib.patches import Rectangle

    x = 0.1 + cell.begin * _CHARACTER_IN
    color = canvas.BLUE if cell.reward > 0 else canvas.RED
    alpha = _PALEST + (0.75 - _PALEST) * strength if cell.reward else 0.0
    size = (max(len(cell.text), 1) * _CHARACTER_IN, 0.17)
    axes.add_patch(Rectangle((x, bottom + 0.02), *size, facecolor=color, alpha=alpha, linewidth=0))
    words = {"family": "monospace", "parse_math": False}
    axes.text(x, bottom + 0.06, _plain(cell.text), fontsize=_FONT, color=canvas.INK, **words)
    axes.text(x, bottom + 0.22, cell.number, fontsize=5.5, color=canvas.GREY, **words)


def _plain(text: str) -> str:
    """Text in characters that the font has; others are drawn as a question mark."""
    return "".join(
        each if each.isprintable() and (ord(each) < 0x250 or each in "⏎·⇥␣") else "?"
        for each in text
    )
