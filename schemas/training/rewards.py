"""What a drawn solution earns; a config per reward, each a module of `tasks/training/rewards`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.engines import EngineConfig


class GradeRewardConfig(FrozenConfig):
    """A reward for the end of a solution, by its answer (R3, arXiv:2402.05808)."""

    type: Literal["grade"] = "grade"
    right: float = 1.0
    """The answer is right."""
    parsable: float = 0.2
    """There is an answer, and it is wrong."""
    neither: float = 0.0
    """There is no answer, or the solution was cut off."""

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

    Each step earns what it changes the lowest score so far, so a solution earns its lowest score,
    and no further step can raise that; one without an answer, or cut off, earns 0.
    """

    type: Literal["verifier"] = "verifier"
    verifier: EngineConfig
    """The model that scores."""


RewardConfig = Annotated[GradeRewardConfig | VerifierRewardConfig, Field(discriminator="type")]
