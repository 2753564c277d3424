"""Pieces of Markdown that several pages have."""

import base64
import shlex
from collections.abc import Mapping, Sequence

from storage import Store


def picture_link(png: bytes) -> str:
    """A PNG as a link that contains it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows of words as a Markdown table; the first column is text."""
    columns = list(rows[0])
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *(row.values() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sql_block(store: Store, statement: str) -> str:
    """A command to copy, in lines that fit on the page."""
    return f'```\nstepmill sql --root {shlex.quote(store.url)} "{statement}"\n```'
