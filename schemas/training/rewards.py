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
    def verifiers(self) -> "tuple[EngineConfig | RewardModelConfig, ...]":
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
    lowest score, which no further step can raise. It is 0 without an answer, or if cut off.
    """

    type: Literal["verifier"] = "verifier"
    verifier: EngineConfig
    """The model that scores."""
    credit: Annotated[Literal["solution", "steps"], Since(4)] = "solution"
    """What a method that trains on rewards of tokens gets: the whole at the last token, or each
    step's reward at the last token of the step. The sum is the same."""
    reduction: Annotated[Literal["min", "last"], Since(4)] = "min"
    """What a solution earns: its lowest step score, or the last one, for verifiers that were
    trained on whole solutions."""

    @model_validator(mode="after")
    def _steps_have_a_potential(self) -> Self:
        if self.credit == "steps" and self.reduction != "min":
            raise ValueError(
                "credit: expected solution with the reduction last, since only the lowest score so "
                "far cannot rise with more steps, got steps"
            )
        return self

    @property
    def label(self) -> str:
        """What rows call it."""
        return "steps" if self.credit == "steps" else "verifier"

    @property
    def verifiers(self) -> tuple[EngineConfig, ...]:
        """See Rewarding."""
        return (self.verifier,)


class RewardModelConfig(FrozenConfig):
    """A reward model whose attention is read: a classifier of solutions as wrong or right."""

    model: str
    """Folder in Hugging Face format or Hugging Face id: a verifier that stage `prm_training` made,
    or a sequence classifier of one or two labels. It must have the policy's tokenizer."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Type of weights and activations; the score layer is float32."""
    max_batch_tokens: Annotated[int, Field(ge=1)] = 8192
    """Maximum tokens of a forward pass, padding included. It runs beside the policy's engine, on
    the same GPU if there is one: leave it memory by `policy.gpu_memory_utilization`."""


class AttentionRewardConfig(Rewarding, FrozenConfig):
    """A reward model's log odds R, divided among the tokens by attention (ABC, arXiv:2402.00782).

    The share of a token is the attention that it gets in the model's last layer, averaged over the
    heads, where the model reads the whole solution. The sum is always R, so which policies are best
    does not depend on `credit`.
    """

    reads_tokens: ClassVar[bool] = True
    type: Literal["attention"] = "attention"
    verifier: RewardModelConfig
    """The model that says R."""
    credit: Literal["attention", "policy_attention", "uniform", "sparse"] = "attention"
    """Who decides the shares: the reward model's attention (ABC), the policy's own (ABC-D), nobody
    (`uniform`: R / T each), or the last token gets all (`sparse`)."""
    beta: Annotated[float, Field(ge=0, le=1)] = 0.8
    """The part of R that attention divides; the last token gets the rest as well. `uniform` and
    `sparse` ignore it."""
    earns: Literal["log_odds", "p_right"] = "log_odds"
    """R: logit(right) - logit(wrong), or the probability in [0, 1] that this stands for."""
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """R is multiplied by this: a sure model's log odds are beyond 10, more than a value head should
    have to predict, and more than PPO's `reward_clip` lets pass at one token."""
    unfinished: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """R of a solution that was cut off; None for what the model says of it, as published."""

    @property
    def label(self) -> str:
        """What rows call it: who decides the shares, with the settings that change the rewards."""
        settings = []
        if self.credit in ("attention", "policy_attention"):
            settings.append(f"beta={self.beta:g}")
        if self.earns != "log_odds":
            settings.append(f"earns={self.earns}")
        if self.scale != 1:
            settings.append(f"scale={self.scale:g}")
        if self.unfinished is not None:
            settings.append(f"unfinished={self.unfinished:g}")
        return self.credit + (f"[{','.join(settings)}]" if settings else "")

    @property
    def verifiers(self) -> tuple[RewardModelConfig, ...]:
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
    GradeRewardConfig | VerifierRewardConfig | AttentionRewardConfig | RefinementRewardConfig,
    Field(discriminator="type"),
]

TokenReward = Annotated[AttentionRewardConfig | VerifierRewardConfig, Field(discriminator="type")]
"""The rewards that can be divided among tokens."""
