"""`stepmill sql`: one statement over the store, printed as a table or for programs."""

from typing import Annotated

import typer

from flows.commands.options import DEFAULT_ROOT, Root
from flows.tables.output import open_catalog, write_relation
from storage import query


def sql(
    statement: Annotated[str, typer.Argument(help="One statement that only reads.")],
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Query the store in SQL (DuckDB); nothing can be changed, and nothing else can be read."""
    write_relation(query(open_catalog(root), statement), output)
