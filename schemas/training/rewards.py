"""The rewards of sampled solutions: a config each, with a module in `tasks/training/rewards`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.engines import EngineConfig


class GradeRewardConfig(FrozenConfig):
    """A reward for the answer of a solution (R3, arXiv:2402.05808)."""

    type: Literal["grade"] = "grade"
    right: float = 1.0
    """The reward of a right answer."""
    parsable: float = 0.2
    """The reward of a wrong answer."""
    neither: float = 0.0
    """The reward of a solution without an answer, or one that was cut off."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.right > self.parsable >= self.neither:
            raise ValueError(
                f"expected right > parsable >= neither, got {self.right}, {self.parsable}, "
                f"{self.neither}"
            )
        return self


class VerifierRewardConfig(FrozenConfig):
    """A verifier's scores of the steps, as differences of their running minimum.

    The reward of a step is the change in the lowest score so far. So a solution's reward is its
    lowest score, which no further step can raise. It is 0 without an answer, or if cut off.
    """

    type: Literal["verifier"] = "verifier"
    verifier: EngineConfig
    """The model that scores."""


RewardConfig = Annotated[GradeRewardConfig | VerifierRewardConfig, Field(discriminator="type")]
