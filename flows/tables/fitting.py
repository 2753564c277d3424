"""Tables that fit a terminal without a cropped number: narrower columns, or upright rows.

Rich shortens the widest column first and cuts words that are then too long; a number may be among
them. Here every column keeps the width of its longest word, and what is left goes to those that
would use it. Where not even the longest words fit, each row becomes a block with a line per column.
"""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

_UNBOUNDED = 1_000_000
_MAX_NAME_SHARE = 0.4
_UPRIGHT_EDGES = 7
_MIN_NAME = 4


class FittingConsole(Console):
    """A console on which tables are laid out by `fit_table`."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a table takes the layout that its terminal has room for."""
        fitted = [fit_table(o, self) if isinstance(o, Table) else o for o in objects]
        super().print(*fitted, **options)


def fit_table(table: Table, console: Console) -> Table:
    """The table itself if it fits, with narrower columns if their words do, else upright rows.

    Args:
        table: not changed.
        console: its width is what there is.
    """
    limits = [_limits(table, column, console) for column in table.columns]
    edges = _whole(table, console) - sum(limit.maximum for limit in limits)
    room = console.width - edges
    if sum(limit.maximum for limit in limits) <= room:
        return table
    if sum(limit.minimum for limit in limits) > room:
        return _upright(table, console, max(limit.minimum for limit in limits))
    narrow = _copy(table)
    for column, width in zip(narrow.columns, share_width(limits, room), strict=True):
        column.width, column.overflow, column.no_wrap = width, "fold", False
    return narrow


def share_width(limits: Sequence[Measurement], room: int) -> list[int]:
    """The width of each column: at least its minimum; the rest to those that need least of it.

    Args:
        limits: the longest word and the longest line of each column; the words fit.
        room: characters of all columns together.
    """
    widths = [limit.minimum for limit in limits]
    spare = room - sum(widths)
    wanted = sorted(range(len(limits)), key=lambda i: limits[i].maximum - limits[i].minimum)
    for place, index in enumerate(wanted):
        share = spare // (len(wanted) - place)
        more = min(limits[index].maximum - limits[index].minimum, share)
        widths[index] += more
        spare -= more
    return widths


def _limits(table: Table, column: Column, console: Console) -> Measurement:
    """The longest word and the longest line of a column, in characters."""
    options = console.options.update(width=_UNBOUNDED)
    cells = [*column.cells]
    if table.show_header:
        cells.append(column.header)
    if table.show_footer:
        cells.append(column.footer)
    found = [Measurement.get(console, options, cell) for cell in cells]
    longest = max((each.maximum for each in found), default=0)
    words = longest if column.no_wrap else max((each.minimum for each in found), default=0)
    return Measurement(words, longest)


def _whole(table: Table, console: Console) -> int:
    """The width of a table in which no line is broken."""
    return table.__rich_measure__(console, console.options.update(width=_UNBOUNDED)).maximum


def _copy(table: Table) -> Table:
    copied = Table(
        title=table.title,
        caption=table.caption,
        box=table.box,
        padding=table.padding,
        pad_edge=table.pad_edge,
        show_header=table.show_header,
        show_lines=table.show_lines,
    )
    copied.columns = [column.copy() for column in table.columns]
    for column, original in zip(copied.columns, table.columns, strict=True):
        column._cells = list(original._cells)
    copied.rows = list(table.rows)
    return copied


def _upright(table: Table, console: Console, longest: int) -> Table:
    """A block of lines per row: the name of each column, and its cell; empty cells are left out."""
    upright = Table(title=table.title, caption=table.caption, box=table.box, show_header=False)
    most = min(int(console.width * _MAX_NAME_SHARE), console.width - _UPRIGHT_EDGES - longest)
    most = max(_MIN_NAME, most)
    upright.add_column("column", overflow="fold", style="dim", max_width=most)
    upright.add_column("cell", overflow="fold", ratio=1)
    columns = [(column.header, list(column.cells)) for column in table.columns]
    for index in range(len(table.rows)):
        shown = [(header, cells[index]) for header, cells in columns if _has_text(cells[index])]
        for place, (header, cell) in enumerate(shown):
            style = table.rows[index].style
            upright.add_row(header, cell, end_section=place == len(shown) - 1, style=style)
    return upright


def _has_text(cell: Any) -> bool:
    return bool(cell.plain if isinstance(cell, Text) else cell)
