"""Builders of start states, from which a policy draws solutions in training."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.dataset_export.builder import BuilderConfig, Form, PerProblem, Reads


class ReverseCurriculumConfig(BuilderConfig):
    """Start states cut from right solutions (R3, arXiv:2402.05808).

    Stage m of M leaves the last m/M of a solution's steps to go, rounded up: 1 is the easiest, M
    the whole problem. If stages of a short solution coincide, the highest is kept.
    """

    form: ClassVar[Form] = "prompt_only"
    keeps: ClassVar[str] = "states of right solutions"
    type: Literal["reverse_curriculum"] = "reverse_curriculum"
    num_stages: Annotated[int, Field(ge=1)] = 5
    """Cut points per solution (M)."""
    mode: Literal["mixed", "staged"] = "mixed"
    """`mixed` puts all stages into one set; `staged` only one stage."""
    stage: Annotated[int, Field(ge=1)] | None = None
    """The stage, in mode `staged`."""
    shares: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    """Relative share of each stage in mode `mixed`, the easiest first; None for equal shares, so
    that easy stages cannot flood the set. 0 leaves a stage out."""
    per_problem: PerProblem | None = 1
    """Maximum number of right solutions to cut per problem; None for all."""

    @model_validator(mode="after")
    def _stages_exist(self) -> Self:
        if (self.stage is not None) != (self.mode == "staged"):
            raise ValueError(f"stage: expected one in mode staged alone, got {self.stage}")
        if self.stage is not None and self.stage > self.num_stages:
            raise ValueError(f"stage: expected at most {self.num_stages}, got {self.stage}")
        if self.shares is not None and (
            len(self.shares) != self.num_stages or not any(self.shares)
        ):
            raise ValueError(
                f"shares: expected {self.num_stages}, not all 0, got {list(self.shares)}"
            )
        return self

    @property
    def stage_shares(self) -> tuple[float, ...] | None:
        """See BuilderConfig."""
        return None if self.mode == "staged" else self.shares or (1.0,) * self.num_stages


class WholeProblemsConfig(BuilderConfig):
    """Start states that are whole problems, right solutions or none.

    With `gold` hidden no answer is in the set, so that only rewards that need none can be paid, as
    where answers are not available.
    """

    form: ClassVar[Form] = "prompt_only"
    reads: ClassVar[Reads] = "solutions"
    keeps: ClassVar[str] = "whole problems"
    type: Literal["whole_problems"] = "whole_problems"
    gold: Literal["kept", "hidden"] = "kept"
    """Whether the rows have the gold answers."""
