"""`stepmill compact`: many small files merged into few."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from flows.commands.options import DEFAULT_ROOT, Format, Root
from flows.runs.progress import say
from flows.tables.formats import check_format
from flows.tables.output import open_console
from storage import Store, compaction
from storage.compaction import Folding


def compact(
    run_id: Annotated[str | None, typer.Option(help="Merge only the files of this run.")] = None,
    min_files: Annotated[
        int,
        typer.Option(min=2, help="Merge only in folders with this many files below 1 MB; 2: all."),
    ] = 2,
    target: Annotated[
        str | None, typer.Option("--to", help="Write a merged copy here; needed on s3://.")
    ] = None,
    output: Format = "table",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Merge a store's many small files into few, without disturbing active runs and readers."""
    compact_store(root, run_id=run_id, target=target, output=output, min_files=min_files)


def compact_store(
    root: str, *, run_id: str | None, target: str | None, output: str, min_files: int = 2
) -> None:
    """Merge a store's files in place, or into a new store, and print what was done.

    Raises:
        ValueError: the format does not exist, or a choice of files is given together with a target.
        StoreUnusable: see `storage.compaction`.
    """
    check_format(output, "table", "json")
    if target is not None and (run_id is not None or min_files > 2):
        raise ValueError("expected --to alone: a copy holds every folder of every run")
    store = Store(root, create=False)
    if target is None:
        done = compaction.compact(store, run_id=run_id, min_files=min_files, on_folder=_tell)
    else:
        done = compaction.copy_store(store, target, on_folder=_tell)
    if output == "json":
        sys.stdout.write(json.dumps([asdict(folding) for folding in done]) + "\n")
    elif done:
        _print_table(done)
    else:
        of = "a run" if run_id is None else f"run {run_id}"
        files = "more than one file" if min_files == 2 else f"{min_files:,} small files"
        open_console().print(f"nothing to merge: no stage of {of} has {files}")


def _tell(folding: Folding) -> None:
    say(f"{folding.folder}: {folding.files_before:,} files are {folding.files_after:,}")


def _print_table(done: list[Folding]) -> None:
    table = Table()
    table.add_column("folder", overflow="fold")
    for name in ("files", "folded", "units", "rows", "MB", "MB folded"):
        table.add_column(name, justify="right")
    for each in done:
        table.add_row(
            each.folder,
            f"{each.files_before:,}",
            f"{each.files_after:,}",
            f"{each.num_units:,}",
            f"{each.num_rows:,}",
            f"{each.bytes_before / 1e6:,.1f}",
            f"{each.bytes_after / 1e6:,.1f}",
        )
    open_console().print(table)
