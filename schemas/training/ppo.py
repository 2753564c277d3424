"""Proximal policy optimisation."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.training.drawing import DrawingRecipe


class PpoConfig(DrawingRecipe):
    """Proximal policy optimisation (PPO, arXiv:1707.06347) on the policy's own solutions.

    Every token is an action. A value head on the policy's body predicts what is still to be earned;
    an advantage says how much more a token led to (GAE, arXiv:1506.02438). A draw of `batch_size`
    times `minibatches` solutions serves `ppo_epochs` times `minibatches` optimizer steps.
    """

    type: Literal["ppo"] = "ppo"
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Solutions per optimizer step, over all workers: a minibatch."""
    minibatches: Annotated[int, Field(ge=1)] = 2
    """Minibatches that the solutions of a draw are divided into, anew in each pass."""
    ppo_epochs: Annotated[int, Field(ge=1)] = 2
    """Passes over the solutions of a draw."""
    hidden_lr: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of matrices; `schemas/training/recipe.py` has values for large models."""
    group_size: Annotated[int, Field(ge=1)] = 1
    """Solutions per start state and draw; they are not compared with one another."""
    gamma: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Discount of a reward per token."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Weight of longer sums of rewards in an advantage: 1 uses only rewards, 0 only the next value
    (R3 has .95). With 1 and `gamma` 1, shaping that leaves the sum of the rewards leaves the
    expected gradient."""
    whiten: bool = True
    """Bring the advantages of a draw to mean 0 and variance 1."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Maximum distance of a token's probability ratio from 1."""
    value_clip: Annotated[float, Field(gt=0)] | None = 0.5
    """Maximum distance of a value from the one before the draw's first step; None for no limit."""
    value_weight: Annotated[float, Field(ge=0)] = 0.1
    """Weight of the value head's squared error in the loss (R3 has 5)."""
    value_lr: Annotated[float, Field(gt=0)] | None = None
    """Learning rate of the value head, which starts at zero; None for ten times `hidden_lr`."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.01
    """Weight of the KL divergence from the reference in every token's reward; above 0 the reference
    is also kept in memory."""
    reference: Annotated[str, Field(min_length=1)] | None = None
    """The policy to stay near: a folder or a Hugging Face id of the same architecture; None for the
    policy that training starts from."""
    reward_clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 10.0
    """Rewards are clipped to plus and minus this, before the KL divergence; None for no limit."""
    save_every_steps: Annotated[int, Field(ge=1)] = 20
    """Optimizer steps between two checkpoints to resume from, raised to a multiple of the steps of
    a draw; two are kept until training ends. Each one also writes the solutions sampled since the
    last as rows of `trajectories`."""

    @property
    def solutions_per_draw(self) -> int:
        """See DrawingRecipe."""
        return self.batch_size * self.minibatches

    @property
    def steps_per_draw(self) -> int:
        """See TrainingRecipe."""
        return self.minibatches * self.ppo_epochs

    @property
    def rates(self) -> dict[str, float | None]:
        """The learning rates by kind of weight."""
        return {**super().rates, "value_lr": self.value_lr or 10 * self.hidden_lr}
