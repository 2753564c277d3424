"""A row is one critique of a stored solution."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.tables import Int32, TableSpec

StepVerdict = Literal["right", "wrong"]
CritiqueStatus = Literal["finished", "truncated", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CritiqueStep:
    """What a critique says about one step."""

    verdict: StepVerdict
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Critique:
    """A critique as it was written, and what could be read from it.

    Its refinements are trajectories with its `critique_id`; the view `critique_filter` counts them.
    """

    critique_id: str
    trajectory_id: str
    """The solution that it is about."""
    problem_id: str
    critic: str
    """The id of the model that wrote it, or what else did, such as `checker`."""
    told: str
    """What the critic knew besides question and solution: `nothing`, or what its key held."""
    sample_index: Int32
    status: CritiqueStatus
    fault: str | None = None
    """Why it cannot be learned from (no verdict, another number of steps than the solution has, a
    verdict against its own steps, the bare answer), or the error of its engine."""
    text: str
    steps: tuple[CritiqueStep, ...]
    """Its verdicts in the order of the solution's steps; it may end with the first wrong one."""
    first_error: Int32 | None = None
    """Index of the first step judged wrong; None if none is, or it could not be read."""
    verdict: bool | None = None
    """Whether it calls the solution right; None if it does not say."""
    p_right: float | None = None
    """The critic's probability that the solution is right, read at its verdict."""
    leaks: bool
    """Whether it gives the gold answer, which neither question nor solution contain."""
    temperature: float
    seed: int
    prompt_tokens: Int32 = 0
    cached_tokens: Int32 = 0
    generated_tokens: Int32 = 0
    token_ids: tuple[Int32, ...] | None = None
    """The sampled tokens of `text`; None if the engine reported no ids."""
    vocabulary: str | None = None
    """Identifies the vocabulary of `token_ids` (see tasks.models.vocabulary)."""
    round: Int32 | None = None
    engine: str
    created_at: datetime


CRITIQUES = TableSpec("critiques", Critique)
