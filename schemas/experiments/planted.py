"""Settings of the planted-subsequence study: mixtures, models, and how each arm is trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.engines import NUM_PLANTED_GOLD
from schemas.pretraining import ArchitectureConfig

Gamma = Annotated[float, Field(gt=0, lt=1)]
Horizon = Annotated[int, Field(ge=1)]
NumTraces = Annotated[int, Field(ge=2)]
Rate = Annotated[float, Field(gt=0)]
Hold = Literal["gamma", "success", "reward", "expert"]
"""What mixtures have in common: the mean skill, the success, the mean reward, or the mean reward of
a right solution."""
RewardKind = Literal["bilevel", "binary"]
"""How a right solution is rewarded: by its symbols left, or by 1."""


class HoldConfig(FrozenConfig):
    """Mixtures that have something in common with the single skill, and differ in their spread."""

    hold: Hold
    """What is equal: the mean skill, the share of right traces, the mean reward, or the mean reward
    of a right trace."""
    spreads: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]
    """How far the two skills of a mixture lie below and above the single one."""

    @model_validator(mode="after")
    def _has_variance(self) -> Self:
        if 0 in self.spreads:
            raise ValueError(
                f"hold {self.hold}: expected spreads above 0, got 0: a mixture without variance is "
                "the single skill, which every hold is compared with"
            )
        if len(set(self.spreads)) < len(self.spreads):
            raise ValueError(f"hold {self.hold}: expected different spreads, got {self.spreads}")
        return self


class BaseTrainingConfig(FrozenConfig):
    """How a base is trained, from random weights, on traces of a mixture; none is seen twice."""

    num_steps: Annotated[int, Field(ge=1)] = 1800
    """Steps of one batch."""
    batch_traces: Annotated[int, Field(ge=1)] = 64
    """Traces of a batch."""
    hidden_lr: Rate = 0.02
    """Peak rate of Muon, on hidden matrices."""
    other_lr: Rate = 0.01
    """Peak rate of AdamW, on embeddings, head and norms."""
    architecture: ArchitectureConfig = ArchitectureConfig(
        hidden_size=64, num_layers=2, num_heads=4, mlp_size=128
    )
    """Size of the Llama, which is also that of the verifier."""


class ImitationConfig(FrozenConfig):
    """The verifier-free arm: SFT from the base on its right traces.

    Of all rates and epochs two policies are kept: that with the highest reward on questions of its
    own, which favours this arm, as the other one is not shown the truth beyond its labels; and that
    with the highest likelihood of further right traces, for which no reward is looked at.
    """

    rates: Annotated[tuple[Rate, ...], Field(min_length=1)] = (0.0003, 0.001, 0.003, 0.01)
    """Peak rates that are tried."""
    max_epochs: Annotated[int, Field(ge=1)] = 5
    """Passes over the traces; every number up to this is tried."""
    batch_traces: Annotated[int, Field(ge=1)] = 64
    """Traces of a batch."""
    num_dev_questions: Annotated[int, Field(ge=1)] = 512
    """Questions, and further right traces, by which rate and epochs are chosen."""


class VerifierTrainingConfig(FrozenConfig):
    """The verifier: the base with a scalar head on the last symbol, and binary cross entropy."""

    rate: Rate = 0.01
    """Peak rate."""
    max_epochs: Annotated[int, Field(ge=1)] = 10
    """Passes over the labelled traces; that of the least loss on held-out ones is kept."""
    held_out_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the labelled traces that decide the epochs and are not trained on."""
    batch_traces: Annotated[int, Field(ge=1)] = 64
    """Traces of a batch."""


class ReinforceConfig(FrozenConfig):
    """Policy gradient with the mean of a question's group as the baseline, one step a batch."""

    num_steps: Annotated[int, Field(ge=1)] = 200
    """Steps of one batch."""
    batch_questions: Annotated[int, Field(ge=1)] = 32
    """Questions of a batch."""
    group_size: Annotated[int, Field(ge=2)] = 8
    """Traces of each question."""
    rate: Rate = 0.002
    """Peak rate."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.02
    """Weight of the divergence from the base in the loss."""


def check_horizon(horizon: int, num_gold: int = NUM_PLANTED_GOLD) -> None:
    """Say so if no solution can be right.

    Raises:
        ValueError: the horizon is shorter than the gold.
    """
    if horizon < num_gold:
        raise ValueError(
            f"expected a horizon of at least the {num_gold} symbols of the gold, got {horizon}"
        )
