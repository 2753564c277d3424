"""Group-relative policy optimisation."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Since
from schemas.training.drawing import GroupRecipe
from schemas.training.recipe import TrainingRecipe


class GrpoConfig(GroupRecipe):
    """Group-relative policy optimisation (GRPO, arXiv:2402.03300) on the policy's own solutions.

    Takes sets of the form `prompt_only`: start states, each a prompt and possibly the first steps
    of a solution. Solutions are sampled at temperature 1 from the current policy.
    """

    shares_tokens = False
    identity_order = (
        *TrainingRecipe.model_fields,
        "type",
        "group_size",
        "max_new_tokens",
        "max_generated_tokens",
        "stop",
        "reward",
        "loss",
        "scale_rewards",
        "kl_weight",
        "clip",
    )

    type: Literal["grpo"] = "grpo"
    loss: Annotated[Literal["dapo", "grpo", "dr_grpo"], Since(4)] = "dapo"
    """How the losses of tokens are combined. `dapo` is their mean over all tokens of the batch
    (arXiv:2503.14476); `grpo` the mean over solutions of each solution's mean, as published with
    GRPO, so that a token of a long solution counts less; `dr_grpo` their sum divided by a constant
    (arXiv:2503.20783), meant for `scale_rewards` none."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """What an advantage is divided by: the standard deviation of the group or batch, or nothing."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL divergence from the policy that training starts from; above 0 that policy is
    also kept in memory."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Maximum distance of a token's probability ratio from 1."""
    clip_high: Annotated[Annotated[float, Field(gt=0)] | None, Since(4)] = None
    """Maximum distance above 1, if it differs from that below (clip-higher: .28 in DAPO, so that
    unlikely tokens can become likely); None for `clip`."""

    @model_validator(mode="after")
    def _clips_higher(self) -> Self:
        if self.clip_high is not None and self.clip_high < self.clip:
            raise ValueError(
                f"clip_high: expected at least clip={self.clip:g}, got {self.clip_high:g}"
            )
        return self
