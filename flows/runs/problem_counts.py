"""How many problems a config has, without loading them from the hub."""

from pathlib import Path

from schemas.data_sets import DATA_SETS
from schemas.problems import (
    FileProblemsConfig,
    HubProblemsConfig,
    NamedProblemsConfig,
    ProblemsConfig,
    TheoremProblemsConfig,
    WorldProblemsConfig,
)
from tasks.problems.row_files import iterate_rows
from tasks.problems.theorems import read_theorems


def count_problems(config: ProblemsConfig) -> int:
    """How many rows a set has.

    Raises:
        ValueError: that is not known without loading the set, or there is no such file.
    """
    known: int | None
    match config:
        case WorldProblemsConfig():
            return config.num_problems
        case TheoremProblemsConfig():
            known = len(read_theorems())
        case FileProblemsConfig():
            return _rows_of(config.path, config.limit)
        case NamedProblemsConfig():
            path = config.path
            if path is not None and path.suffix in (".jsonl", ".parquet") and path.is_file():
                return _rows_of(path, config.limit)
            known = config.data_set.num_rows[str(config.split)]
        case HubProblemsConfig():
            known = _published_rows(config)
            if known is None and config.limit is None:
                raise ValueError(
                    f"problems: the number of rows of {config.dataset} is not known without "
                    "loading it: set `limit`"
                )
    return min(each for each in (known, config.limit) if each is not None)


def _rows_of(path: Path, limit: int | None) -> int:
    return sum(1 for _ in iterate_rows(path, limit))


def _published_rows(config: HubProblemsConfig) -> int | None:
    """Rows of a hub set, if it is one of the named ones."""
    for known in DATA_SETS.values():
        if known.dataset == config.dataset and len(known.configs) < 2:
            for split, hub_split in known.splits.items():
                if hub_split == config.split:
                    return known.num_rows[split]
    return None
