"""`stepmill runs`: the runs of a store, the newest first."""

from typing import Annotated

import typer

from flows.commands.options import DEFAULT_ROOT, Root
from flows.tables.output import open_catalog, write_relation
from flows.view.links import say_page
from storage.queries import relation


def runs(
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    root: Root = DEFAULT_ROOT,
) -> None:
    """List the runs of a store: their flows, how they stand, their problems and rows.

    A run that was killed is `started` until it is resumed; `stepmill sql "select * from run_state"`
    has a row per flow and set.
    """
    write_relation(relation(open_catalog(root), "runs_of_store"), output)
    if output == "table":
        say_page(root, "runs")
