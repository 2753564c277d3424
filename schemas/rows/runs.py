"""A row records that a run began or ended."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.tables import TableSpec

RunState = Literal["started", "completed", "failed", "cancelled"]
"""`cancelled`: it was told to end, by a signal or in Prefect's UI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """The start or end of a run; its newest event is its state. `config` is JSON text."""

    flow: str
    part: str | None = None
    """The set of problems, for a flow that a run may hold several times."""
    state: RunState
    config: str
    config_hash: str
    code_version: str
    message: str | None
    happened_at: datetime


RUNS = TableSpec("runs", RunEvent)
