"""`stepmill experiment`: published relations, measured by experiments, and what was found."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.options import (
    DEFAULT_ROOT,
    ConfigFile,
    DryRun,
    ExpectedTokens,
    Format,
    Rate,
    Root,
    RunId,
    set_option,
)
from flows.commands.run import plan_flow, run_flow, wants_plan
from flows.registry import suggest
from flows.tables.formats import check_format
from schemas.errors import StoreUnusable
from schemas.experiments import experiment_configs
from schemas.rows import MeasuredRelation
from storage import Store
from storage.runs import new_run_id


def experiment(
    name: Annotated[
        str | None,
        typer.Argument(help="{names of experiment}. By default the list of what is published."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small size, of at most five minutes.")
    ] = False,
    run_id: RunId = None,
    config: ConfigFile = None,
    change: Annotated[list[str] | None, set_option("loop.rounds=1")] = None,
    output: Format = "table",
    table: Annotated[
        bool,
        typer.Option("--table", help="Print what the store measured as the table of RESULTS.md."),
    ] = False,
    publish: Annotated[
        Path | None,
        typer.Option(
            help="A page with such a table, as RESULTS.md: add what the store measured to the rows "
            "beside it, and print the table anew.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    dry_run: DryRun = False,
    tokens_per_second: Rate = None,
    expected_tokens: ExpectedTokens = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """List the published relations that are measured here, or run an experiment.

    An experiment runs other flows and says of each of its relations whether it holds, does not
    hold, or is within the noise; a stopped one resumes with the same --run-id. `stepmill describe
    experiment_NAME` prints its options.

    For example:

    - `stepmill experiment`
    - `stepmill experiment rest --quick`
    - `stepmill experiment rest --run-id rest --set loop.rounds=1`
    - `stepmill experiment critique_in_the_loop --set parts.loop=RUN`
    - `stepmill experiment --publish RESULTS.md`
    """
    if name is not None and (table or publish is not None):
        raise ValueError(f"--table, --publish: expected no name, as all are printed, got {name!r}")
    if name is None:
        _refuse_settings(
            {"--quick": quick, "--run-id": run_id, "--config": config, "--set": change}
            | {"--dry-run": dry_run}
        )
    if publish is not None:
        publish_relations_in(publish, root)
        return
    if name is None:
        list_relations("markdown" if table else output, root)
        return
    flow = flow_of(name)
    given = {"size": "quick" if quick else None}
    if wants_plan(dry_run, tokens_per_second, expected_tokens):
        plan_flow(
            flow,
            config_file=config,
            changes=change or [],
            values=given,
            tokens_per_second=tokens_per_second,
            expected_tokens=expected_tokens,
        )
        return
    check_format(output, "table", "json")
    run_id = run_id or new_run_id(f"{name}{'-quick' if quick else ''}")
    path = run_flow(
        flow, root=root, run_id=run_id, config_file=config, changes=change or [], values=given
    )
    store = Store(root)
    show_relations(name, store.read(path), output, store=store, run_id=run_id)


def _refuse_settings(options: Mapping[str, object]) -> None:
    """Refuse options that only a run of an experiment has."""
    given = [option for option, value in options.items() if value]
    if given:
        raise ValueError(
            f"{given[0]}: expected the name of an experiment with it, one of "
            f"{', '.join(experiment_configs())}"
        )


def flow_of(name: str) -> str:
    """The flow of an experiment.

    Raises:
        ValueError: there is no experiment of this name.
    """
    known = experiment_configs()
    if name not in known:
        raise ValueError(
            f"there is no experiment {name!r}: expected one of {', '.join(known)}"
            f"{suggest(name, known)}"
        )
    return known[name].flow_name()


def show_relations(
    name: str, rows: Sequence[MeasuredRelation], output: str, *, store: Store, run_id: str
) -> None:
    """Print what an experiment found, beside the sentences that its flow has said.

    That is where its picture lies, and a table; or the rows as JSON.
    """
    if output == "json":
        _write_json([asdict(row) for row in rows])
        return
    # Imported late: Prefect reads its settings on import.
    from flows.pages.relations import relations_picture
    from flows.tables.output import open_console
    from flows.tables.relations import relations_summary

    console = open_console()
    picture = f"picture: {store.url}/{relations_picture(run_id, name)}"
    if any(row.difference is not None for row in rows):
        console.print(picture, soft_wrap=True, highlight=False, markup=False)
    console.print(relations_summary(rows, title=f"{name}: {run_id}"))


def list_relations(output: str, root: str | Path) -> None:
    """Print what is published and measured here, with the newest verdicts of the store."""
    from flows.tables.output import open_console
    from flows.tables.relations import known_relations, markdown_lines, relations_json

    try:
        rows = stored_relations(root)
    except StoreUnusable:
        rows = []  # what is published can be read before anything was measured
    if output == "markdown":
        sys.stdout.write("\n".join(markdown_lines(rows)) + "\n")
        return
    check_format(output, "table", "json")
    if output == "json":
        _write_json(relations_json())
    else:
        open_console().print(known_relations(rows))


def publish_relations_in(page: Path, root: str | Path) -> None:
    """Add the relations of a store to the table of a page."""
    from flows.tables.results_page import ROWS, publish

    measured = stored_relations(root)
    number = publish(page, measured)
    sys.stdout.write(
        f"{page}: {number} relations, {len(measured)} rows of {root} were looked at; the rows are "
        f"in {page.parent / ROWS}\n"
    )


def stored_relations(root: str | Path) -> list[MeasuredRelation]:
    """Every measured relation of a store.

    Raises:
        StoreUnusable: there is no store.
    """
    from storage import connect
    from storage.queries import ask

    with connect(root) as connection:
        return [MeasuredRelation(**row) for row in ask(connection, "measured_relations")]


def _write_json(rows: Any) -> None:
    sys.stdout.write(json.dumps(rows, default=str, ensure_ascii=False) + "\n")
