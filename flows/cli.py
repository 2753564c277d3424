"""The console script `stepmill`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import StepmillError

app = typer.Typer(
    help="A factory for reasoning data: sample, grade, label steps, train verifiers, measure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Root = Annotated[Path, typer.Option("--root", envvar="STEPMILL_ROOT", help="The store: a folder.")]
_DEFAULT_ROOT = Path("stepmill-store")


@app.command()
def run(
    flow: Annotated[str, typer.Argument(help="Which flow.")] = "factory",
    run_id: Annotated[str | None, typer.Option(help="Go on with this run, or begin it.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML or JSON with the config.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="One field, as in eval_sampling.num_samples=8")
    ] = None,
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Run a flow; with the id of a run that was stopped, do only what is missing."""
    from flows.run import run_flow

    run_flow(flow, root=root, run_id=run_id, config_file=config, changes=change or [])


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One statement that reads.")],
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Ask the store a question in SQL (DuckDB); it cannot be changed, nothing else can be read."""
    from flows.output import write_relation
    from storage import connect, query

    write_relation(query(connect(root), statement), output)


@app.command()
def show(
    trajectory: Annotated[str, typer.Argument(help="A trajectory id, or how it begins.")],
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Print one trajectory: its steps with their labels and scores."""
    from flows.output import show_trajectory
    from storage import connect

    show_trajectory(connect(root), trajectory, output)


@app.command()
def report(
    run_id: Annotated[str, typer.Argument(help="The run.")],
    by: Annotated[
        str | None,
        typer.Option(help="Accuracy by level, subject, oracle_quintile or model_quintile."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="With --by: candidates per problem; else the most there are.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Print a run's results: accuracy by strategy and budget, and figures against the truth."""
    from flows.report import show_report
    from storage import connect

    show_report(connect(root), run_id, output, by=by, budget=budget)


def main() -> None:
    """Run the command line; a caller's mistake is one line on standard error, and exit code 2."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    try:
        app()
    except (StepmillError, ValueError, OSError) as error:
        sys.stderr.write(f"stepmill: {error}\n")
        sys.exit(2)
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("duckdb", "_duckdb"):
            raise
        sys.stderr.write(f"stepmill: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
