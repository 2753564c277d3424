"""What each view is, from the comment at the head of its file, and each table, from its record.

`connect` puts both into DuckDB's catalog (`select view_name, comment from duckdb_views()`), and
`docs/views.md` is made from the former: `python -c 'import storage.view_comments as views;
views.write_page("docs/views.md")'`.
"""

from importlib import resources
from pathlib import Path

import duckdb

from schemas.rows import TABLES

_BEGIN, _END = "<!-- views: begin -->", "<!-- views: end -->"


def view_comments() -> dict[str, str]:
    """The comment of every view, as one line, by the view's name."""
    folder = resources.files("storage").joinpath("sql")
    texts = {
        entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    }
    return {name: comment_of(text) for name, text in sorted(texts.items())}


def comment_of(statement: str) -> str:
    """The comment at the head of a statement, as one line."""
    lines = []
    for line in statement.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(line for line in lines if line)


def comment_catalog(connection: duckdb.DuckDBPyConnection) -> None:
    """Give every view and table of the store its comment in DuckDB's catalog."""
    tables = {name: " ".join((spec.record.__doc__ or "").split()) for name, spec in TABLES.items()}
    comments = {**view_comments(), **tables}
    statements = [
        f"comment on view {name} is '{text.replace(chr(39), chr(39) * 2)}'"
        for name, text in comments.items()
    ]
    connection.execute(";".join(statements))


def views_page(text: str) -> str:
    """A page with the list of views between its markers, whatever stood there.

    Raises:
        ValueError: the page has no markers.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"expected a list between the lines {_BEGIN!r} and {_END!r}")
    listed = [f"### `{name}`\n\n{comment}" for name, comment in view_comments().items()]
    return "\n\n".join([f"{before}{_BEGIN}", *listed, f"{_END}{after}"])


def write_page(path: str | Path) -> None:
    """Print the list of views into a page."""
    page = Path(path)
    page.write_text(views_page(page.read_text(encoding="utf-8")), encoding="utf-8")
