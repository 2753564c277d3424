"""Group-relative policy optimisation."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Since
from schemas.dataset_export import Form
from schemas.prompts import StopString
from schemas.rows import ModelRole
from schemas.training.recipe import TrainingRecipe
from schemas.training.rewards import GradeRewardConfig, RewardConfig


class GrpoConfig(TrainingRecipe):
    """Group-relative policy optimisation (GRPO, arXiv:2402.03300) on the policy's own solutions.

    Takes sets of the form `prompt_only`: start states, each a prompt and possibly the first steps
    of a solution. Solutions are sampled at temperature 1 from the current policy.
    """

    type: Literal["grpo"] = "grpo"
    form: ClassVar[Form] = "prompt_only"
    role: ClassVar[ModelRole] = "policy"
    can_shard: ClassVar[bool] = False

    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the start states."""
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Solutions per optimizer step, over all workers: start states times `group_size`."""
    group_size: Annotated[int, Field(ge=2)] = 8
    """Solutions per start state, whose rewards are compared."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 1024
    """Maximum tokens of a solution; a longer one is cut and counts as unfinished."""
    max_generated_tokens: Annotated[int, Field(ge=1)] | None = None
    """Training stops after the step at which all workers together have generated this many tokens,
    unless `epochs` or `max_steps` ends it first; None for no such limit. The decay of the rates is
    planned for `epochs` or `max_steps`; `decay_fraction` 0 keeps them constant."""
    hidden_lr: Annotated[float, Field(gt=0)] = 5e-4
    """Learning rate of matrices; `schemas/training/recipe.py` has values for large models."""
    stop: Annotated[tuple[StopString, ...], Since(4)] = ()
    """Texts that end a solution, besides those of the prompt. It is rewarded and graded without
    them; all its tokens are trained on, as they were sampled."""
    reward: RewardConfig = GradeRewardConfig()
    """The reward of a solution."""
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
    save_every_steps: Annotated[int, Field(ge=1)] = 20
    """Steps between two checkpoints to resume from; two are kept until training ends. Each one also
    writes the solutions sampled since the last as rows of `trajectories`."""

    @property
    def rows_per_step(self) -> int:
        """Start states of an optimizer step."""
        return self.batch_size // self.group_size

    @model_validator(mode="after")
    def _groups_are_whole(self) -> Self:
        if self.batch_size % self.group_size:
            raise ValueError(
                f"batch_size: expected a multiple of group_size={self.group_size}, "
                f"got {self.batch_size}"
            )
        return self
