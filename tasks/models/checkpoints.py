"""A trained model as a folder that is named by its weights, there whole or not at all."""

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.models.folders import identify_model


def save_checkpoint(
    model: Any, tokenizer: Any, *, model_name: str, texts: Mapping[str, str], checkpoints_dir: Path
) -> tuple[str, Path]:
    """Write weights, tokenizer and texts, and name them `<model_name>-<hash of the weights>`.

    The folder is written beside and moved into place whole. Equal weights that are there already
    stay.

    Args:
        model: a transformers model; it is written as safetensors.
        tokenizer: its tokenizer.
        model_name: the first part of the name.
        texts: further files by name; the card, README.md, is one.
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
