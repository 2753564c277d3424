"""A row is the label of a step."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.tables import Int32, TableSpec

Evidence = Literal["rollouts", "answer", "inferred", "checker", "imported", "judge", "human"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLabel:
    """A step's label: whether the solution is still right after this step."""

    trajectory_id: str
    step_index: Int32
    method: str
    completer: str
    evidence: Evidence
    num_rollouts: Int32 = 0
    num_correct: Int32 = 0
    soft: float | None = None
    hard: bool | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    created_at: datetime | None = None
    """When a person made it; None for other labels."""


STEP_LABELS = TableSpec("step_labels", StepLabel)
