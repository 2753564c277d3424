"""`stepmill build`: a training set from the solutions of a run, and its counts."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from flows.commands.options import DEFAULT_ROOT, ConfigFile, Format, Root, set_option
from flows.commands.run import run_flow
from flows.tables.formats import check_format
from storage import Store
from storage.store import check_name
from tasks.dataset_export.figures import count_lines

_DATASETS = "datasets"
_SET_FILE = "set.json"


def build(
    kind: Annotated[
        str,
        typer.Argument(help="{names of builder}."),
    ],
    run_id: Annotated[str, typer.Option("--from-run", help="The run whose solutions are used.")],
    config: ConfigFile = None,
    change: Annotated[list[str] | None, set_option("builder.per_problem=2")] = None,
    output: Format = "table",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Build a training set from a run's solutions: checked, filtered, arranged for TRL.

    `stepmill describe BUILDER` prints the options of a builder.
    """
    build_and_show(
        kind, root=root, run_id=run_id, config_file=config, changes=change or [], output=output
    )


def build_and_show(
    kind: str,
    *,
    root: str | Path,
    run_id: str,
    config_file: Path | None,
    changes: Sequence[str],
    output: str,
) -> None:
    """Build a set and print its counts.

    Args:
        kind: the builder.
        root: the store.
        run_id: the run whose solutions are used.
        config_file: fields of the job.
        changes: further fields, as `FIELD=VALUE`.
        output: `table`, or `json` for the content of set.json.

    Raises:
        ValueError: the format or the run does not exist, or the run has nothing to build from.
    """
    check_format(output, "table", "json")
    name = run_flow(
        "dataset_export",
        root=root,
        run_id=run_id,
        config_file=config_file,
        changes=[f"builder.type={kind}", *changes],
    )
    facts = json.loads((find_set(Store(root), name) / _SET_FILE).read_text())
    if output == "json":
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        # Imported late: it imports DuckDB, which complains when a process ends with an error.
        from flows.tables.output import open_console

        open_console().print(counts_table(facts))


def find_set(store: Store, name: str) -> Path:
    """The folder of a built set.

    Raises:
        ValueError: no set has this name.
    """
    try:
        return store.local_folder(f"{_DATASETS}/{check_name('training set', name)}")
    except FileNotFoundError as error:
        raise ValueError(
            f"{store.url} has no training set {name!r}: "
            "`select name, num_rows from training_sets` lists them"
        ) from error


def counts_table(facts: Mapping[str, Any]) -> Table:
    """Rows by level, and what was left out."""
    counts = facts["counts"]
    table = Table(
        title=f"{facts['name']}: {counts['rows']:,} rows, {counts['problems']:,} problems",
        box=SIMPLE_HEAD,
    )
    table.add_column("")
    table.add_column("number", justify="right")
    for what, number in count_lines(counts):
        table.add_row(Text(what), f"{number:,}")
    return table
