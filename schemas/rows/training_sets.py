"""A row is a built training set."""

from dataclasses import dataclass
from datetime import datetime

from schemas.tables import TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """A built training set; `config` and `counts` are JSON text."""

    name: str
    kind: str
    form: str
    path: str
    """Its folder, relative to the root."""
    num_rows: int
    policy: str
    """Ids of the models that wrote its solutions, joined by commas."""
    config: str
    counts: str
    created_at: datetime


TRAINING_SETS = TableSpec("training_sets", TrainingSet)
