"""What methods share that draw their own solutions and learn from what these earn."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from schemas.base import Since
from schemas.dataset_export import Form
from schemas.prompts import StopString
from schemas.rows import ModelRole
from schemas.training.recipe import TrainingRecipe
from schemas.training.rewards import GradeRewardConfig, RewardConfig


class DrawingRecipe(TrainingRecipe):
    """Base of the methods that learn from rewards of solutions drawn from the current policy.

    They take sets of the form `prompt_only`: start states, each a prompt and possibly the first
    steps of a solution. Solutions are sampled at temperature 1.
    """

    form: ClassVar[Form] = "prompt_only"
    role: ClassVar[ModelRole] = "policy"
    can_shard: ClassVar[bool] = False
    shares_tokens: ClassVar[bool] = True
    """Whether a verifier that rewards must have the policy's tokenizer."""

    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the start states."""
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Solutions per optimizer step, over all workers."""
    group_size: Annotated[int, Field(ge=1)] = 8
    """Solutions of a start state that are drawn together."""
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
    overlong_buffer: Annotated[Annotated[int, Field(ge=1)] | None, Since(4)] = None
    """Last tokens of `max_new_tokens` over which a penalty rises from 0 to `overlong_penalty`, paid
    in full by a solution that is cut (soft overlong punishment of DAPO, arXiv:2503.14476); None for
    no penalty. The stored reward includes it."""
    overlong_penalty: Annotated[float, Field(gt=0, allow_inf_nan=False), Since(4)] = 1.0
    """What a solution that is cut loses, where `overlong_buffer` is given."""
    save_every_steps: Annotated[int, Field(ge=1)] = 20
    """Steps between two checkpoints to resume from; two are kept until training ends. Each one also
    writes the solutions sampled since the last as rows of `trajectories`."""

    @property
    def solutions_per_draw(self) -> int:
        """Solutions that are drawn at once from one policy, over all workers."""
        return self.batch_size

    @property
    def rows_per_step(self) -> int:
        """Start states of a draw."""
        return self.solutions_per_draw // self.group_size

    @model_validator(mode="after")
    def _groups_are_whole(self) -> Self:
        if self.solutions_per_draw % self.group_size:
            raise ValueError(
                f"batch_size: expected a multiple of group_size={self.group_size}, "
                f"got {self.solutions_per_draw}"
            )
        return self

    @model_validator(mode="after")
    def _buffer_is_part_of_a_solution(self) -> Self:
        if self.overlong_buffer is not None and self.overlong_buffer > self.max_new_tokens:
            raise ValueError(
                f"overlong_buffer: expected at most max_new_tokens={self.max_new_tokens}, "
                f"got {self.overlong_buffer}"
            )
        return self


class GroupRecipe(DrawingRecipe):
    """Base of the methods that compare the solutions of one start state with one another."""

    group_size: Annotated[int, Field(ge=2)] = 8
    """Solutions per start state, whose rewards are compared."""
    max_redraws: Annotated[int, Field(ge=0), Since(4)] = 0
    """How often a group whose solutions all earned the same, and which would teach nothing, is
    replaced by a group of another start state (dynamic sampling of DAPO, arXiv:2503.14476); after
    that many it is kept. All solutions drawn are rows, and count as generated tokens."""

    @model_validator(mode="after")
    def _redrawn_groups_are_of_one_worker(self) -> Self:
        share = self.batch_size // max(self.num_workers, 1)
        if self.max_redraws and share % self.group_size:
            raise ValueError(
                f"max_redraws: expected 0 where the groups of {self.group_size} solutions are "
                f"shared by workers with {share} each, got {self.max_redraws}"
            )
        return self
