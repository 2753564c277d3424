"""Group-relative policy optimisation."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Since
from schemas.dataset_export import Form
from schemas.rows import ModelRole
from schemas.training.recipe import TrainingRecipe
from schemas.training.rewards import GradeRewardConfig, RewardConfig


class GrpoConfig(TrainingRecipe):
    """Group-relative policy optimisation (GRPO, arXiv:2402.03300) on the policy's own solutions.

    Takes sets of the form `prompt_only`: start states, each a prompt and perhaps the first steps
    of a solution. Solutions are drawn at temperature 1, from the policy as it is at that step.
    """

    type: Literal["grpo"] = "grpo"
    form: ClassVar[Form] = "prompt_only"
    role: ClassVar[ModelRole] = "policy"
    can_shard: ClassVar[bool] = False

    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the start states."""
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Solutions of one optimizer step, over all workers: start states times `group_size`."""
    group_size: Annotated[int, Field(ge=2)] = 8
    """Solutions of one start state, whose rewards are compared."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 1024
    """Cut-off in tokens; a solution cut here has no end."""
    max_generated_tokens: Annotated[int, Field(ge=1)] | None = None
    """The step at which all workers together have drawn this many tokens is the last one, if
    `epochs` or `max_steps` did not end the training before; None for no such end. Rates that fall
    are planned for `epochs` or `max_steps`: with `decay_fraction` 0 they stay."""
    hidden_lr: Annotated[float, Field(gt=0)] = 5e-4
    """Rate of matrices; `schemas/training/recipe.py` has values for large models."""
    reward: RewardConfig = GradeRewardConfig()
    """What a solution earns."""
    loss: Annotated[Literal["dapo", "grpo", "dr_grpo"], Since(4)] = "dapo"
    """How the tokens' losses become one. `dapo` is their mean over all tokens of the batch
    (arXiv:2503.14476); `grpo` the mean over solutions of each solution's mean, as published with
    GRPO, so that a token of a long solution counts less; `dr_grpo` their sum divided by a constant
    (arXiv:2503.20783), meant for `scale_rewards` none."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Whose standard deviation an advantage is divided by."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL divergence from the policy that training starts from; above 0 that policy
    is kept in memory too."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """How far a token's probability ratio may leave 1."""
    save_every_steps: Annotated[int, Field(ge=1)] = 20
    """Steps between two checkpoints to resume from; two are kept until the training is done. The
    solutions drawn since the last one become rows of `trajectories` with each."""

    @model_validator(mode="after")
    def _groups_are_whole(self) -> Self:
        if self.batch_size % self.group_size:
            raise ValueError(
                f"batch_size: expected a multiple of group_size={self.group_size}, "
                f"got {self.batch_size}"
            )
        return self
