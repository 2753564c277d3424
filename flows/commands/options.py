"""Options that several commands share, and help texts that list what the registry holds."""

import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

DEFAULT_ROOT = "stepmill-store"

Root = Annotated[
    str,
    typer.Option("--root", envvar="STEPMILL_ROOT", help="The store: a folder or s3://bucket/path."),
]
RunId = Annotated[str | None, typer.Option(help="Resume this run, or begin it under this id.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML or JSON with the config.", exists=True, dir_okay=False),
]
Policy = Annotated[
    str | None, typer.Option(help="A folder or Hugging Face id; by default the shipped policy.")
]
Format = Annotated[str, typer.Option("--format", help="table or json.")]
TextFormat = Annotated[str, typer.Option("--format", help="text or json.")]

DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Start nothing; print units, requests, tokens and bytes."),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--tokens-per-second",
        help="With --dry-run: generated tokens per second of all actors, for hours.",
    ),
]
ExpectedTokens = Annotated[
    int | None,
    typer.Option(min=1, help="With --dry-run: tokens of a solution, instead of an assumption."),
]

_LISTS = re.compile(r"\{names of ([a-z ]+)\}")


def set_option(example: str) -> Any:
    """The option `--set`, with an example of a field."""
    return typer.Option("--set", help=f"One field, such as {example}; may be repeated.")


class ListingCommand(TyperCommand):
    """A command in whose help `{names of KIND}` becomes the names that the registry has.

    They also complete the argument in a shell, as the formats named in the help of `--format` do.
    The registry is imported for these two and at no other time.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """A command whose parameters complete."""
        super().__init__(*arguments, **options)
        for parameter in self.params:
            text = getattr(parameter, "help", None) or ""
            if _LISTS.search(text) or "--format" in parameter.opts:
                parameter._custom_shell_complete = partial(_complete, text)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help with the names filled in."""
        for parameter in self.params:
            text = getattr(parameter, "help", None)
            if text and _LISTS.search(text):
                setattr(parameter, "help", _LISTS.sub(_names, text))  # noqa: B010
        super().format_help(ctx, formatter)


def _complete(text: str, context: Any, parameter: Any, incomplete: str) -> list[str]:
    """The values that a help text names, as far as they go on from what was typed."""
    from flows.registry import names_of

    named = [name for kind in _LISTS.findall(text) for name in names_of(kind)]
    known = named or [word for word in re.findall(r"\w+", text) if word != "or"]
    return [name for name in known if name.startswith(incomplete)]


def _names(place: re.Match[str]) -> str:
    from flows.registry import names_of

    return ", ".join(names_of(place[1]))
