"""A row is a verifier's scores of a trajectory's steps."""

from dataclasses import dataclass

from schemas.tables import Int32, TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScores:
    """A verifier's scores of a trajectory: a value in [0, 1] per step, or one for the whole."""

    trajectory_id: str
    verifier: str
    scores: tuple[float, ...]
    scored_tokens: Int32
    cached_tokens: Int32
    error: str | None = None
    generated_tokens: Int32 | None = None
    """Tokens that a generative verifier wrote; None for one that only reads."""


STEP_SCORES = TableSpec("step_scores", StepScores)
