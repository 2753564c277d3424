"""Config of the scoring stage."""

from typing import Annotated

from pydantic import Field

from schemas.base import FrozenConfig, SetName
from schemas.engines import EngineConfig
from schemas.pool import PoolConfig
from schemas.prompts import PlainPromptConfig, PromptConfig


class ScoringJob(FrozenConfig):
    """Which solutions of a run are scored, by which verifier; every step is scored once."""

    set_name: SetName = "eval"
    """The set of solutions, as named by the sampling stage."""
    policy: EngineConfig
    """The model that wrote them; its prompt format is the verifier's too."""
    verifier: EngineConfig
    """The model that scores."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy was prompted."""
    round: Annotated[int, Field(ge=0)] | None = None
    """Only the solutions that a loop sampled from the policy in this round; None for all."""
    pool: PoolConfig = PoolConfig()
    """The actors."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """The set of solutions."""
        return (self.set_name,)
