"""The recipe of the shipped policy: a small Llama trained from random weights."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, Since

Fraction = Annotated[float, Field(ge=0, le=1)]


class ArchitectureConfig(FrozenConfig):
    """Size of the Llama. The vocabulary is the built-in world's."""

    hidden_size: Annotated[int, Field(ge=8, multiple_of=2)] = 128
    """Width of the residual stream, divided evenly among the heads."""
    num_layers: Annotated[int, Field(ge=1)] = 4
    """Transformer blocks."""
    num_heads: Annotated[int, Field(ge=1)] = 4
    """Attention heads per block; keys and values are not shared between them."""
    mlp_size: Annotated[int, Field(ge=8)] = 256
    """Inner width of the gated MLP."""
    rope_theta: Annotated[float, Field(gt=1)] = 1000.0
    """Base of the rotary positions; small because texts are short."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.hidden_size % (2 * self.num_heads):
            raise ValueError(
                f"expected hidden_size to be a multiple of 2 x num_heads ({2 * self.num_heads}), "
                f"got {self.hidden_size}"
            )
        return self

    def num_parameters(self, vocab_size: int) -> int:
        """The number of weights, embeddings included: input and output ones are not tied."""
        width = self.hidden_size
        block = 4 * width**2 + 3 * width * self.mlp_size + 2 * width
        return 2 * vocab_size * width + self.num_layers * block + width


SMALL = ArchitectureConfig(hidden_size=64, num_layers=2, num_heads=2, mlp_size=128)
MEDIUM = ArchitectureConfig()
LARGE = ArchitectureConfig(hidden_size=192, num_layers=6, num_heads=6, mlp_size=384)
SIZES: dict[str, ArchitectureConfig] = {"small": SMALL, "medium": MEDIUM, "large": LARGE}
"""Three sizes, each three to six times as large as the one before; `medium` is the shipped one."""


class TutoringConfig(FrozenConfig):
    """What the policy reads besides solutions: reviews of them, and second attempts."""

    review_share: Fraction = 0.15
    """Share of the examples that are reviews."""
    second_attempt_share: Fraction = 0.35
    """Share of the examples that are second attempts; the rest are solutions."""
    keyed_share: Fraction = 0.2
    """Share of the reviews that are written with a right solution or its answer at hand."""
    unreviewed_share: Fraction = 0.15
    """Share of the second attempts that no review stands before."""
    wrong_share: Fraction = 0.6
    """Share of the reviewed second attempts whose first attempt is made sure to be wrong."""
    p_all_seeing: Fraction = 0.1
    """Probability that a reviewer misreads nothing."""
    p_sees_slips: Fraction = 0.35
    """Probability that another reviewer notices wrong sums."""
    p_nods: Fraction = 0.15
    """Probability that a reviewer finds every line right without looking."""
    p_nods_before_retry: Fraction = 0.03
    """The same, of the reviews that second attempts follow."""

    @model_validator(mode="after")
    def _shares_sum_up(self) -> Self:
        if self.review_share + self.second_attempt_share > 1:
            raise ValueError(
                "expected review_share + second_attempt_share of at most 1, "
                f"got {self.review_share} + {self.second_attempt_share}"
            )
        if self.p_all_seeing + max(self.p_nods, self.p_nods_before_retry) > 1:
            raise ValueError(
                "expected p_all_seeing + p_nods and p_all_seeing + p_nods_before_retry of at most "
                f"1, got {self.p_all_seeing} + {self.p_nods} and {self.p_nods_before_retry}"
            )
        return self


class PretrainingConfig(FrozenConfig):
    """One training run. Equal configs on one machine give equal weights."""

    num_tokens: Annotated[int, Field(ge=1)] = 10_000_000
    """Tokens trained on, without padding; about 10,000 a second on one core."""
    seed: int = 0
    """Decides the initial weights, the problems, the students and the order."""
    architecture: ArchitectureConfig = ArchitectureConfig()
    """Size of the model."""
    tutoring: Annotated[TutoringConfig, Since(4)] = TutoringConfig()
    """Reviews and second attempts among the examples."""
    batch_tokens: Annotated[int, Field(ge=256)] = 2048
    """Maximum tokens of a batch, including padding; texts of similar length share a batch."""
    hidden_lr: Annotated[float, Field(gt=0)] = 0.008
    """Peak learning rate of Muon, on hidden matrices."""
    other_lr: Annotated[float, Field(gt=0)] = 0.003
    """Peak learning rate of AdamW, on embeddings, head and norms."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """Decoupled decay of the hidden matrices, which otherwise grow without bound under Muon."""
    num_warmup_steps: Annotated[int, Field(ge=0)] = 50
    """Steps in which the learning rate rises to its peak."""
    decay_fraction: Fraction = 0.8
    """Last part of the tokens, in which the learning rate falls linearly to zero."""
    curriculum_fraction: Fraction = 0.14
    """First part of the tokens, in which the hardest level seen rises from 1 to 5."""
    prompt_loss_weight: Annotated[float, Field(ge=0)] = 0.1
    """Weight of a question's tokens in the loss; answers weigh 1, the rest of a prompt nothing."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    num_eval_problems: Annotated[int, Field(ge=0)] = 200
    """Problems of the dev split on which the policy is measured for its card; 0 for none."""
    num_eval_solutions: Annotated[int, Field(ge=1)] = 64
    """Solutions sampled per problem at temperature 1, besides a greedy one."""


class SizedPolicyConfig(FrozenConfig):
    """A policy of one size: one that exists, or one that is pretrained by the shipped recipe."""

    model: str | None = None
    """A model that exists, as `policy.model` of any job names it; None to pretrain one."""
    architecture: ArchitectureConfig = MEDIUM
    """Its size, if it is pretrained."""
