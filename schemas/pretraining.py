"""The recipe of the shipped policy: a small Llama trained from random weights."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig

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


class PretrainingConfig(FrozenConfig):
    """One training run. Equal configs on one machine give equal weights."""

    num_tokens: Annotated[int, Field(ge=1)] = 6_000_000
    """Tokens trained on, without padding; about 10,000 a second on one core."""
    seed: int = 0
    """Decides the initial weights, the problems, the students and the order."""
    architecture: ArchitectureConfig = ArchitectureConfig()
    """Size of the model."""
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
    """Weight of a question's tokens in the loss; a solution's tokens weigh 1."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    num_eval_problems: Annotated[int, Field(ge=0)] = 200
    """Problems of the dev split on which the policy is measured for its card; 0 for none."""
    num_eval_solutions: Annotated[int, Field(ge=1)] = 64
    """Solutions sampled per problem at temperature 1, besides a greedy one."""
