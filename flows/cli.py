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
Root = Annotated[
    str,
    typer.Option("--root", envvar="STEPMILL_ROOT", help="The store: a folder or s3://bucket/path."),
]
_DEFAULT_ROOT = "stepmill-store"


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
def serve(
    port: Annotated[
        int | None, typer.Option(help="Of the Prefect server; else one of 4200 to 4209.")
    ] = None,
    deployments: Annotated[
        Path | None, typer.Option(help="A file like prefect.yaml; else that one.")
    ] = None,
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Deploy every flow and run what is scheduled or asked for, until Ctrl-C."""
    from flows.serve import serve

    serve(root, port=port, deployments=deployments)


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One statement that reads.")],
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Ask the store a question in SQL (DuckDB); it cannot be changed, nothing else can be read."""
    from flows.output import open_catalog, write_relation
    from storage import query

    write_relation(query(open_catalog(root), statement), output)


@app.command()
def show(
    trajectory: Annotated[str, typer.Argument(help="A trajectory id, or how it begins.")],
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Print one trajectory: its steps with their labels and scores."""
    from flows.output import open_catalog, show_trajectory

    show_trajectory(open_catalog(root), trajectory, output)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="JSONL or Parquet: a problem a row.")],
    run_id: Annotated[
        str | None, typer.Option(help="The run that gets them; else a new one.")
    ] = None,
    set_name: Annotated[str, typer.Option(help="What the set is called in the run.")] = "eval",
    question_column: Annotated[str, typer.Option(help="Texts.")] = "question",
    answer_column: Annotated[str, typer.Option(help="Gold answers.")] = "answer",
    responses_column: Annotated[str, typer.Option(help="Lists of solutions.")] = "responses",
    scores_column: Annotated[
        str | None, typer.Option(help="A score a solution, or a list a step; else `scores`.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="What wrote them; else the file.")] = None,
    verifier: Annotated[str | None, typer.Option(help="What scored them; else the column.")] = None,
    grader: Annotated[str, typer.Option(help="math or exact.")] = "math",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Another field, as in gold_format=solution")
    ] = None,
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Bring other people's solutions and scores into a run, graded."""
    from flows.run import run_flow

    values = {
        "path": file.absolute(),
        "set_name": set_name,
        "question_column": question_column,
        "answer_column": answer_column,
        "responses_column": responses_column,
        "scores_column": scores_column,
        "policy": policy,
        "verifier": verifier,
        "grader": {"type": grader},
    }
    run_flow(
        "imports", root=root, run_id=run_id, config_file=None, changes=change or [], values=values
    )


@app.command()
def regrade(
    run_id: Annotated[str, typer.Option(help="The run.")],
    set_name: Annotated[str, typer.Option(help="The set of solutions.")] = "eval",
    grader: Annotated[str, typer.Option(help="math or exact.")] = "math",
    rollouts: Annotated[bool, typer.Option(help="Also the rollouts from its solutions.")] = False,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Another field, as in grader.percent=ignored")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Grade stored solutions again and print what changed; every view uses the newest verdict."""
    from flows.regraded import regrade_and_show

    values = {"set_name": set_name, "grader": {"type": grader}, "with_rollouts": rollouts}
    regrade_and_show(output, root=root, run_id=run_id, values=values, changes=change or [])


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
    set_name: Annotated[
        str | None, typer.Option(help="Which set of problems; else eval, or the only one.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Print a run's results: accuracy by strategy and budget, and figures against the truth."""
    from flows.output import open_catalog
    from flows.report import show_report

    show_report(open_catalog(root), run_id, output, by=by, budget=budget, set_name=set_name)


@app.command()
def cost(
    run_id: Annotated[str | None, typer.Argument(help="The run; else all of the store.")] = None,
    by: Annotated[
        str | None, typer.Option(help="Sums by run, stage, strategy or model; else by all four.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Print what was spent: tokens, seconds of engine time, tokens per row that was worth it."""
    from flows.cost import show_cost
    from flows.output import open_catalog

    show_cost(open_catalog(root), run_id, output, by=by)


@app.command()
def compact(
    run_id: Annotated[str | None, typer.Option(help="Fold this run's files only.")] = None,
    target: Annotated[
        str | None, typer.Option("--to", help="Write a folded copy here; needed on s3://.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Fold a store's many small files into few; runs and readers at work are not disturbed."""
    from flows.compact import compact_store

    compact_store(root, run_id=run_id, target=target, output=output)


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Read all rows of all files.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Move unusable files away, to be made again.")
    ] = False,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Look at this machine and the store: what is wrong, and what to do about it."""
    from flows.doctor import examine

    raise typer.Exit(examine(root, output=output, deep=deep, repair=repair))


def main() -> None:
    """Run the command line; a caller's mistake is one line on standard error, and exit code 2."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    try:
        app()
    except (StepmillError, ValueError, OSError) as error:
        _give_up(error)
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("duckdb", "_duckdb"):
            raise
        _give_up(error)


def _give_up(error: Exception) -> None:
    from flows.output import visible

    sys.stderr.write(f"stepmill: {visible(str(error))}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
