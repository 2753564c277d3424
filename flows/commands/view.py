"""`stepmill view`: the store in a browser."""

from typing import Annotated

import typer

from flows.commands.options import DEFAULT_ROOT, Root


def view(
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
    root: Root = DEFAULT_ROOT,
) -> None:
    """Show the store in a browser: runs, problems, solutions step by step; it only reads."""
    from flows.view.annotation import Annotator
    from flows.view.server import serve_view

    annotator = None if annotate is None else Annotator(annotate)
    serve_view(root, host=host, port=port, names=tuple(name or ()), annotator=annotator)
