"""One row is what a verifier gives the steps of a trajectory."""

from dataclasses import dataclass

from schemas.tables import Int32, TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScores:
    """One verifier's scores of one trajectory, a value in [0, 1] per step."""

    trajectory_id: str
    verifier: str
    scores: tuple[float, ...]
    scored_tokens: Int32
    cached_tokens: Int32
    error: str | None = None


STEP_SCORES = TableSpec("step_scores", StepScores)
