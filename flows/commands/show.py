"""`stepmill show`: one trajectory, what critics say about it, its tokens' rewards, or a tree."""

from typing import Annotated

import typer

from flows.commands.options import DEFAULT_ROOT, Root, TextFormat
from flows.tables.output import open_catalog
from flows.tables.search_tree import show_tree
from flows.tables.token_rewards import show_rewards
from flows.tables.trajectory import show_trajectory
from flows.view.links import say_page


def show(
    name: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id of a trajectory or critique, or its beginning."),
    ],
    tree: Annotated[
        bool, typer.Option("--tree", help="ID is that of a problem: draw its search tree.")
    ] = False,
    rewards: Annotated[
        bool, typer.Option("--rewards", help="Show what each token earns, above the tokens.")
    ] = False,
    strategy: Annotated[
        str | None, typer.Option(help="With --tree: the search, as named in its rows.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="With --tree: the budget N.")] = None,
    run_id: Annotated[str | None, typer.Option(help="With --tree: the run.")] = None,
    depth: Annotated[
        int | None, typer.Option(min=1, help="With --tree: steps to draw; by default all.")
    ] = None,
    output: TextFormat = "text",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Print one trajectory with its labels, scores and critiques, or a problem's search tree.

    A solution is printed beside its critiques and the second attempts that followed; the id of a
    critique or of a second attempt prints that one beside its solution.
    """
    if tree and rewards:
        raise ValueError("expected --tree or --rewards, got both")
    if rewards:
        show_rewards(open_catalog(root), name, output)
    elif tree:
        show_tree(
            open_catalog(root),
            name,
            output,
            strategy=strategy,
            budget=n,
            run_id=run_id,
            depth=depth,
        )
    else:
        show_trajectory(open_catalog(root), name, output)
    if output == "text" and tree and run_id is not None:
        say_page(root, "tree", run=run_id, id=name)
    elif output == "text":
        column = "problem_id" if tree else "trajectory_id"
        page = "problems" if tree else "solutions"
        say_page(root, page, where=f"starts_with({column}, '{name}')")
