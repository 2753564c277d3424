"""REINFORCE with leave-one-out baselines."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.training.drawing import GroupRecipe


class RlooConfig(GroupRecipe):
    """REINFORCE leave-one-out (RLOO, arXiv:2402.14740) on the policy's own solutions.

    A solution is one action: its advantage is its reward minus the mean reward of the other
    solutions of the same start state, and the KL divergence is part of the reward.
    """

    masks_outputs: ClassVar[bool] = False
    type: Literal["rloo"] = "rloo"
    kl_weight: Annotated[float, Field(ge=0)] = 0.01
    """Weight of the KL divergence from the policy that training starts from, summed over a
    solution's tokens and subtracted from its reward; above 0 that policy is also kept in memory."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Maximum distance of a solution's probability ratio from 1."""
    normalize_advantages: bool = False
    """Bring the advantages of a batch to mean 0 and variance 1."""
    reward_clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 10.0
    """Rewards are clipped to plus and minus this, before the KL divergence; None for no limit."""
