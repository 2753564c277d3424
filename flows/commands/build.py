"""What `stepmill build` and `stepmill export` do: a built set shown, copied or pushed."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from flows.commands.run import run_flow
from flows.tables.formats import check_format
from storage import Store
from storage.store import check_name
from tasks.dataset_export.figures import count_lines

_DATASETS = "datasets"
_SET_FILE = "set.json"


def build_and_show(
    kind: str,
    *,
    root: str | Path,
    run_id: str,
    config_file: Path | None,
    changes: Sequence[str],
    output: str,
) -> None:
    """Build a set and print what it holds.

    Args:
        kind: the builder.
        root: the store.
        run_id: the run whose solutions are used.
        config_file: fields of the job.
        changes: more of them, as `FIELD=VALUE`.
        output: `table`, or `json` for what set.json says.

    Raises:
        ValueError: there is no such format or run, or nothing to build from.
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
        # Imported late: it brings DuckDB, which complains when a process ends by an error.
        from flows.tables.output import open_console

        open_console().print(counts_table(facts))


def export_set(
    name: str, *, root: str | Path, target: Path | None, push: str | None, output: str
) -> None:
    """Copy a set to a folder, or push it to the hub, and say where it is.

    Args:
        name: the set.
        root: the store.
        target: the new folder; None for one of the set's name here.
        push: a dataset on the hub, instead.
        output: `text` or `json`.

    Raises:
        ValueError: there is no such set or format, the folder is there, or both are asked for.
    """
    check_format(output, "text", "json")
    if target is not None and push is not None:
        raise ValueError("expected --to or --push, got both")
    folder = find_set(Store(root, create=False), name)
    if push is not None:
        place = _push(folder, push)
    else:
        new = (target or Path(name)).expanduser().absolute()
        if new.exists():
            raise ValueError(f"--to {new}: expected a new folder, there is one already")
        shutil.copytree(folder, new)
        place = str(new)
    if output == "json":
        sys.stdout.write(json.dumps({"name": name, "place": place}) + "\n")
    else:
        sys.stdout.write(f"{name} is in {place}\n")
        sys.stdout.write(f'datasets.load_dataset("{push or place}", split="train") reads it\n')


def find_set(store: Store, name: str) -> Path:
    """The folder of a built set.

    Raises:
        ValueError: there is none of this name.
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


def _push(folder: Path, repo_id: str) -> str:
    """Upload a folder as it is; the page of the dataset."""
    from huggingface_hub import HfApi

    hub = HfApi()
    try:
        hub.create_repo(repo_id, repo_type="dataset", exist_ok=True, private=True)
        commit = hub.upload_folder(
            repo_id=repo_id,
            repo_type="dataset",
            folder_path=folder,
            commit_message=f"Add {folder.name}",
        )
    except Exception as error:  # its client also lets the errors of its transport through
        words = " ".join(str(error).split())
        raise ValueError(f"--push {repo_id}: the hub does not take it: {words}") from error
    return str(commit.repo_url)
