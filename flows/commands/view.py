"""`stepmill view`: the store in a browser."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import DEFAULT_ROOT, Root


def view(
    page: Annotated[
        str, typer.Argument(help="The page whose address is printed, such as 'run?run=first'.")
    ] = "",
    *,
    host: Annotated[
        str,
        typer.Option(help="The address to listen at; with another than this machine's, a token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for a free one.")] = 8400,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A further name by which it is reached; may be repeated."),
    ] = None,
    annotate: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Let steps and grades be marked in the browser, in this name; nothing else "
            "is written.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write the pages of the run of `--run` into this new folder instead.",
        ),
    ] = None,
    run: Annotated[str | None, typer.Option(help="The run to export.")] = None,
    problems: Annotated[
        int, typer.Option(min=0, help="How many problems to export, the first by id.")
    ] = 10,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Show the store in a browser: runs, problems, solutions step by step; it only reads."""
    if export is not None:
        return _export(root, export, run, problems)
    if run is not None:
        raise ValueError("--run: expected together with --export, got it alone")
    from flows.view.annotation import Annotator
    from flows.view.server import serve_view

    annotator = None if annotate is None else Annotator(annotate)
    serve_view(root, host=host, port=port, names=tuple(name or ()), annotator=annotator, page=page)


def _export(root: str, folder: Path, run_id: str | None, num_problems: int) -> None:
    """Write a run's pages as plain files."""
    if run_id is None:
        raise ValueError("--export: expected --run with the run to show, got none")
    from flows.view.bundle import write_bundle

    num_pages = write_bundle(root, folder, run_id, num_problems)
    sys.stdout.write(f"{folder / 'index.html'}: {num_pages:,} pages\n")
