"""A row is a later grading of a trajectory."""

from dataclasses import dataclass
from datetime import datetime

from schemas.rows.check_results import CheckResult
from schemas.tables import TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVerdict:
    """What a member of an ensemble of graders said."""

    grader: str
    answer: str | None
    correct: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A later grading of a trajectory; the newest one replaces the trajectory's own grade."""

    trajectory_id: str
    grader: str
    answer: str | None
    correct: bool | None
    created_at: datetime
    check_result: CheckResult | None = None
    """What running tests, a proof checker or a judge said; None where an answer was compared."""
    members: tuple[MemberVerdict, ...] | None = None
    """What each grader of an ensemble said; None for a single grader."""


VERDICTS = TableSpec("verdicts", Verdict)
