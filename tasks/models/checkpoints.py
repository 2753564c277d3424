"""A trained model as a folder named by its weights, written completely or not at all."""

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from storage import Store
from tasks.models.folders import identify_model

CHECKPOINTS = "checkpoints"
"""The folder of a store that holds its trained models."""


def save_checkpoint(
    model: Any, tokenizer: Any, *, model_name: str, texts: Mapping[str, str], checkpoints_dir: Path
) -> tuple[str, Path]:
    """Write weights, tokenizer and texts to a folder `<model_name>-<hash of the weights>`.

    The folder is written elsewhere and then moved into place. An existing folder of equal weights
    stays.

    Args:
        model: a transformers model; it is written as safetensors.
        tokenizer: its tokenizer.
        model_name: the first part of the name.
        texts: further files by name, such as the card, README.md.
        checkpoints_dir: gets the folder.

    Returns:
        The model id, and the folder `<checkpoints_dir>/<model_id>`.
    """
    building = checkpoints_dir / f".building-{uuid.uuid4().hex}"
    folder = building / model_name
    folder.mkdir(parents=True)
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        model_id = identify_model(str(folder))
        final = checkpoints_dir / model_id
        try:
            folder.rename(final)
        except OSError:
            # A folder of that name has the same weights; anything else is a real failure.
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return model_id, final


def find_checkpoint(store: Store, path: str) -> str:
    """The folder of a model, as a path or URL, wherever the store is.

    Args:
        store: where the model is registered.
        path: as in its row or a recorded config. A relative one begins at the store's root. An
            absolute one that does not exist is looked up by its name in `checkpoints/`, where
            it is if the store was moved.
    """
    given = PurePath(path)
    if "://" in path or (given.is_absolute() and Path(path).exists()):
        return path
    if not given.is_absolute():
        return f"{store.url}/{path}"
    moved = f"{CHECKPOINTS}/{given.name}"
    if given.parent.name == CHECKPOINTS and _has_folder(store, moved):
        return f"{store.url}/{moved}"
    return path


def _has_folder(store: Store, name: str) -> bool:
    try:
        return store.local_folder(name).is_dir()
    except FileNotFoundError:
        return False
