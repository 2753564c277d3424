"""A row is the answer that a pick takes from a search."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.tables import Int32, TableSpec

DecisionStatus = Literal["decided", "unfinished", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer that one pick takes from one search: problem x strategy x budget x pick."""

    problem_id: str
    set_name: str
    policy: str
    verifier: str | None
    strategy: str
    budget: Int32
    pick: str
    is_main: bool
    """Whether this is the pick that the strategy is reported by."""
    status: DecisionStatus
    """`unfinished`: no candidate was finished; `error`: engines rejected all of them."""
    trajectory_id: str | None
    answer: str | None
    correct: bool | None
    num_candidates: Int32
    num_finished: Int32
    num_rows: Int32
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    scored_tokens: int
    error: str | None = None
    created_at: datetime


DECISIONS = TableSpec("decisions", Decision)
