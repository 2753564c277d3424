"""The rewards of sampled solutions: a config each, with a module in `tasks/training/rewards`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, Since
from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.engines import EngineConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.sampling_parameters import SamplingParameters


class Rewarding:
    """What a reward says of itself."""

    of_critiques: ClassVar[bool] = False
    """Whether what is drawn are critiques; otherwise they are solutions."""
    reads_tokens: ClassVar[bool] = False
    """Whether its models read the policy's token ids, and so must share its tokenizer."""

    @property
    def verifiers(self) -> tuple[EngineConfig, ...]:
        """The models that score solutions."""
        return ()


class GradeRewardConfig(Rewarding, FrozenConfig):
    """A reward for the answer of a solution (R3, arXiv:2402.05808)."""

    type: Literal["grade"] = "grade"
    right: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    """The reward of a right answer."""
    parsable: Annotated[float, Field(allow_inf_nan=False)] = 0.2
    """The reward of a wrong answer."""
    neither: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """The reward of a solution without an answer, or one that was cut off."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.right > self.parsable >= self.neither:
            raise ValueError(
                f"expected right > parsable >= neither, got {self.right}, {self.parsable}, "
                f"{self.neither}"
            )
        return self


class VerifierRewardConfig(Rewarding, FrozenConfig):
    """A verifier's scores of the steps, as differences of their running minimum.

    The reward of a step is the change in the lowest score so far. So a solution's reward is its
    lowest score, which no further step can raise. It is 0 without an answer, or if cut off. A
    verifier of whole solutions has one score to pay, the last.
    """

    type: Literal["verifier"] = "verifier"
    verifier: EngineConfig
    """The model that scores."""
    reduction: Annotated[Literal["min", "last"], Since(4)] = "min"
    """What a solution earns: its lowest step score, or the last one, for verifiers that were
    trained on whole solutions."""

    @property
    def verifiers(self) -> tuple[EngineConfig, ...]:
        """See Rewarding."""
        return (self.verifier,)


class RefinementRewardConfig(Rewarding, SamplingParameters):
    """The share of right second attempts that an actor makes with a critique.

    CTRL (arXiv:2502.03492) rewards a critic like that. Takes sets of `critique_requests`.
    """

    of_critiques: ClassVar[bool] = True
    type: Literal["refinement"] = "refinement"
    actor: EngineConfig
    """The model that tries again; it stays as it is."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the actor is prompted."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How the actor is asked, and how a critique is read: that of the set."""
    num_refinements: Annotated[int, Field(ge=1)] = 4
    """Second attempts with each critique, whose grades are averaged."""
    temperature: Annotated[float, Field(ge=0)] = 0.7
    """Of the actor."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Maximum tokens of a second attempt."""
    faulty: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """What a critique earns that is cut, has a fault, or gives the gold answer away."""


RewardConfig = Annotated[
    GradeRewardConfig | VerifierRewardConfig | RefinementRewardConfig, Field(discriminator="type")
]
