"""The rows of a data set on the Hugging Face hub, or of a folder that `datasets` reads alike."""

from typing import Any


def load_hub_rows(dataset: str, name: str | None, *, split: str, revision: str | None) -> Any:
    """The rows of a split: an indexable `datasets.Dataset` of columns and values.

    Args:
        dataset: hub id, or a folder.
        name: the configuration; None for the only one.
        split: one split, or several such as `gsm8k+math`.
        revision: commit or tag; None for the newest.

    Raises:
        ValueError: the set, configuration or split does not exist.
    """
    from datasets import load_dataset

    try:
        return load_dataset(dataset, name, split=split, revision=revision)
    except (FileNotFoundError, ValueError) as error:
        words = name_hub_rows(dataset, name, split=split)
        raise ValueError(f"{words} cannot be loaded: {error}") from error


def name_hub_rows(dataset: str, name: str | None, *, split: str) -> str:
    """The split of a data set in words."""
    return f"dataset {dataset}{f' ({name})' if name else ''}, split {split}"
