"""`stepmill show`: one trajectory, or the tree of a search."""

from typing import Annotated

import typer

from flows.commands.options import DEFAULT_ROOT, Root, TextFormat
from flows.tables.output import open_catalog, show_trajectory
from flows.tables.search_tree import show_tree


def show(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A trajectory id, or its first letters.")
    ],
    tree: Annotated[
        bool, typer.Option("--tree", help="ID is that of a problem: draw its search tree.")
    ] = False,
    strategy: Annotated[
        str | None, typer.Option(help="With --tree: the search, as named in its rows.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="With --tree: the budget N.")] = None,
    run_id: Annotated[str | None, typer.Option(help="With --tree: the run.")] = None,
    output: TextFormat = "text",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Print one trajectory with its labels and scores, or a problem's whole search tree."""
    if tree:
        show_tree(open_catalog(root), name, output, strategy=strategy, budget=n, run_id=run_id)
    else:
        show_trajectory(open_catalog(root), name, output)
