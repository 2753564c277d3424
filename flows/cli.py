"""The console script `stepmill`; each command is a module in `flows/commands/`.

A command's module is imported when the command runs, so the script starts at once; the list of
commands takes its lines from the source of the modules.
"""

import re
import sys
from importlib import import_module
from importlib.metadata import version
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from flows.commands.exits import prepare_process, run_plainly
from flows.commands.options import DEFAULT_ROOT, ListingCommand

COMMANDS = (
    "run",
    "describe",
    "serve",
    "search",
    "critique",
    "build",
    "export",
    "improve",
    "experiment",
    "sql",
    "show",
    "view",
    "import",
    "regrade",
    "runs",
    "cancel",
    "report",
    "compare",
    "cost",
    "compact",
    "doctor",
)
"""In the order of the help. Each is a function in a module, both named after the command, with an
underscore appended where Python reserves the name."""

_LOOK: dict[str, Any] = {
    "rich_markup_mode": "markdown",
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class LateCommand(TyperCommand):
    """A command whose module is imported when it is run or its options are printed."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """The context of the command itself."""
        return load_command(str(self.name)).make_context(*arguments, **options)


class Commands(TyperGroup):
    """The commands by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command, not yet imported."""
        if cmd_name not in COMMANDS:
            return None
        return LateCommand(cmd_name, callback=None, help=summary_of(cmd_name))


app = typer.Typer(cls=Commands, no_args_is_help=True, **_LOOK)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"stepmill {version('stepmill')}\n")
        raise typer.Exit


@app.callback()
def stepmill(
    print_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """A factory for reasoning data: sample, grade, label steps, train verifiers, measure."""


def load_command(name: str) -> Any:
    """A command with its options."""
    module = import_module(f"flows.commands.{_identifier(name)}")
    alone = typer.Typer(add_completion=False, **_LOOK)
    alone.command(name, cls=ListingCommand)(getattr(module, _identifier(name)))
    return typer.main.get_command(alone)


def summary_of(name: str) -> str:
    """The first line of a command's docstring, read without importing its module."""
    identifier = _identifier(name)
    source = (Path(__file__).parent / "commands" / f"{identifier}.py").read_text(encoding="utf-8")
    found = re.search(rf'^def {identifier}\(.*?\n    """(.*?)(?:"""|\n)', source, re.M | re.S)
    assert found is not None, f"expected a function {identifier} with a docstring in {name}"
    return found[1]


def main() -> None:
    """Run the command line; a caller's mistake is one line on standard error, with exit code 2."""
    prepare_process()
    run_plainly(app, default_root=DEFAULT_ROOT)


def _identifier(name: str) -> str:
    return f"{name}_" if iskeyword(name) else name


if __name__ == "__main__":
    main()
