"""How many problems a config has, without loading them from the hub."""

from pathlib import Path

from schemas.data_sets import DATA_SETS
from schemas.problems import (
    FileProblemsConfig,
    HubProblemsConfig,
    NamedProblemsConfig,
    ProblemsConfig,
    WorldProblemsConfig,
)
from tasks.problems.files import iterate_rows


def count_problems(config: ProblemsConfig) -> int:
    """How many rows a set has.

    Raises:
        ValueError: that is not known without loading the set.
    """
    match config:
        case WorldProblemsConfig():
            return config.num_problems
        case NamedProblemsConfig():
            known: int | None = config.data_set.num_rows[str(config.split)]
        case HubProblemsConfig():
            known = _published_rows(config)
        case FileProblemsConfig():
            known = None
    path: Path | None = getattr(config, "path", None)
    if path is not None and path.is_file() and path.suffix in (".jsonl", ".parquet"):
        known = sum(1 for _ in iterate_rows(path, config.limit))
    if known is None and config.limit is None:
        place = path if path is not None else getattr(config, "dataset", "")
        raise ValueError(
            f"problems: the number of rows of {place} is not known without loading it: set `limit`"
        )
    return min(each for each in (known, config.limit) if each is not None)


def _published_rows(config: HubProblemsConfig) -> int | None:
    """Rows of a hub set, if it is one of the named ones."""
    for known in DATA_SETS.values():
        if known.dataset == config.dataset and len(known.configs) < 2:
            for split, hub_split in known.splits.items():
                if hub_split == config.split:
                    return known.num_rows[split]
    return None
