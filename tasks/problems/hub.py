"""The rows of a data set on the Hugging Face hub, or of a folder that `datasets` reads alike."""

from typing import Any

from tasks.problems.numbers import shorten_hub_floats


def load_hub_rows(dataset: str, name: str | None, *, split: str, revision: str | None) -> Any:
    """The rows of a split: an indexable `datasets.Dataset` of columns and values.

    Args:
        dataset: hub id, or a folder.
        name: the configuration; None for the only one.
        split: one split, or several such as `gsm8k+math`.
        revision: commit or tag; None for the newest.

    Raises:
        ValueError: the set, configuration or split does not exist, or the hub cannot be reached.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        rows = load_dataset(dataset, name, split=split, revision=revision)
    except (OSError, ValueError, DatasetsError) as error:
        words = name_hub_rows(dataset, name, split=split)
        raise ValueError(f"{words} cannot be loaded: {error}") from error
    return shorten_hub_floats(rows)


def name_hub_rows(dataset: str, name: str | None, *, split: str) -> str:
    """The split of a data set in words."""
    return f"dataset {dataset}{f' ({name})' if name else ''}, split {split}"
