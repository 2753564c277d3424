"""Units of work: their descriptions, and the receipts they return instead of rows."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

_PATH = re.compile(
    r"(?P<table>[^/]+)/run_id=(?P<run_id>[^/]+)/stage=(?P<stage>[^/]+)/(?P<unit>[^/]+)\.parquet"
)


class Stage(StrEnum):
    """The stages whose units other stages read; the values name their flows and folders."""

    PROBLEMS = "problems"
    SAMPLING = "sampling"
    IMPORTS = "imports"
    STEP_LABELS = "step_labels"
    PRM_TRAINING = "prm_training"
    SCORING = "scoring"
    TOKEN_REWARDS = "token_rewards"
    ERROR_PATHS = "error_paths"
    CRITIQUES = "critiques"
    REFINEMENTS = "refinements"
    SELF_TALK = "self_talk"
    REGRADING = "regrading"
    DOCUMENTS = "documents"
    SEARCH = "search"
    EVALUATION = "evaluation"
    DATASET_EXPORT = "dataset_export"
    POLICY_TRAINING = "policy_training"
    PRETRAINING = "pretraining"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPath:
    """The place of a unit's file, relative to the root of a store."""

    table: str
    run_id: str
    stage: str
    unit: str

    @classmethod
    def parse(cls, path: str) -> Self:
        """The parts of a path.

        Raises:
            ValueError: the text is not the path of a unit.
        """
        if (parts := _PATH.fullmatch(path)) is None:
            raise ValueError(f"expected TABLE/run_id=RUN/stage=STAGE/UNIT.parquet, got {path!r}")
        return cls(**parts.groupdict())

    def __str__(self) -> str:
        """The path."""
        return f"{self.folder}/{self.unit}.parquet"

    @property
    def folder(self) -> str:
        """The folder of all units of the stage in this table."""
        return stage_folder(self.table, self.run_id, self.stage)


def stage_folder(table: str, run_id: str, stage: str) -> str:
    """The folder that holds the units of a stage of a run in a table."""
    return f"{table}/run_id={run_id}/stage={stage}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A shard of a stage of a run, which writes exactly one file and is retried as a whole."""

    run_id: str
    stage: str
    name: str
    table: str
    inputs: tuple[str, ...] = ()
    """Committed files that it reads, relative to the root."""
    rows: tuple[int, int] | None = None
    """Half-open range of rows in the first input; None for all."""
    seed: int = 0

    @property
    def path(self) -> str:
        """The file that it writes, relative to the root."""
        return f"{stage_folder(self.table, self.run_id, self.stage)}/{self.name}.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a unit wrote and spent."""

    path: str
    num_rows: int
    was_there: bool = False
    """Whether the file was already committed, so that nothing was done."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    scored_tokens: int = 0
    num_errors: int = 0
    seconds: float = 0.0


def derive_seed(*parts: object) -> int:
    """A seed in [0, 2**31) that depends only on the parts and is the same on every machine."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def derive_id(*parts: object) -> str:
    """Sixteen hex digits that depend only on the parts."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


def split_rows(num_rows: int, size: int) -> list[tuple[int, int]]:
    """Half-open ranges of `size` rows each, in order; the last one holds the rest."""
    return [(start, min(start + size, num_rows)) for start in range(0, num_rows, size)]
