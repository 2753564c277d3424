"""A row is a later grading of a trajectory."""

from dataclasses import dataclass
from datetime import datetime

from schemas.tables import TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A later grading of a trajectory; the newest one replaces the trajectory's own grade."""

    trajectory_id: str
    grader: str
    answer: str | None
    correct: bool | None
    created_at: datetime


VERDICTS = TableSpec("verdicts", Verdict)
