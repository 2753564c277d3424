"""What `stepmill compact` does and prints: small files folded into few."""

import json
import sys
from dataclasses import asdict

from rich.table import Table

from flows.runs.progress import say
from flows.tables.formats import check_format
from flows.tables.output import open_console
from storage import Store
from storage.compaction import Folding, compact, copy_store


def compact_store(root: str, *, run_id: str | None, target: str | None, output: str) -> None:
    """Fold a store's files in place, or into a new store, and print what was done.

    Raises:
        ValueError: no such format, or a run id together with a target.
        StoreUnusable: see `storage.compaction`.
    """
    check_format(output, "table", "json")
    if target is not None and run_id is not None:
        raise ValueError("expected --run-id or --to, not both: a copy holds every run")
    store = Store(root, create=False)
    if target is None:
        done = compact(store, run_id=run_id, on_folder=_tell)
    else:
        done = copy_store(store, target, on_folder=_tell)
    if output == "json":
        sys.stdout.write(json.dumps([asdict(folding) for folding in done]) + "\n")
    elif done:
        _print_table(done)
    else:
        of = "a run" if run_id is None else f"run {run_id}"
        open_console().print(f"nothing to fold: there is no stage of {of} with more than one file")


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
