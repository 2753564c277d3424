"""`stepmill export`: a training set copied to a folder, or pushed to the hub."""

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.build import find_set
from flows.commands.options import DEFAULT_ROOT, Root, TextFormat
from flows.tables.formats import check_format
from storage import Store


def export(
    name: Annotated[str, typer.Argument(help="A training set, as named by `build`.")],
    target: Annotated[
        Path | None, typer.Option("--to", help="The new folder; by default one of the set's name.")
    ] = None,
    push: Annotated[
        str | None, typer.Option(help="A dataset on the Hugging Face hub, such as me/my-set.")
    ] = None,
    output: TextFormat = "text",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Copy a training set to a folder that `datasets` reads, or push it to the hub."""
    export_set(name, root=root, target=target, push=push, output=output)


def export_set(
    name: str, *, root: str | Path, target: Path | None, push: str | None, output: str
) -> None:
    """Copy a set to a folder, or push it to the hub, and print where it is.

    Args:
        name: the set.
        root: the store.
        target: the new folder; None for one of the set's name in the current one.
        push: a dataset on the hub, instead of a folder.
        output: `text` or `json`.

    Raises:
        ValueError: the set or format does not exist, the folder does, or both options are given.
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
            raise ValueError(f"--to {new}: expected a new folder, this one exists")
        copy_set(folder, new)
        place = str(new)
    if output == "json":
        sys.stdout.write(json.dumps({"name": name, "place": place}) + "\n")
    else:
        sys.stdout.write(f"{name} is in {place}\n")
        sys.stdout.write(f'datasets.load_dataset("{push or place}", split="train") reads it\n')


def copy_set(folder: Path, new: Path) -> None:
    """Copy a folder so that it appears whole under its new name, or not at all.

    What an interrupted copy left beside it is made anew.

    Raises:
        ValueError: another process made the new folder meanwhile.
    """
    beside = new.with_name(f".{new.name}.unfinished")
    new.parent.mkdir(parents=True, exist_ok=True)
    if beside.exists():
        shutil.rmtree(beside)
    shutil.copytree(folder, beside)
    try:
        beside.rename(new)
    except OSError as error:
        if not new.exists():
            raise
        raise ValueError(f"--to {new}: expected a new folder, this one exists") from error


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
    except Exception as error:  # its client also raises errors of its transport
        words = " ".join(str(error).split())
        raise ValueError(f"--push {repo_id}: the hub refused it: {words}") from error
    return str(commit.repo_url)
