"""Builders for a policy that judges its own solutions: each has a module of its name."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.dataset_export.builder import Form, PerProblem
from schemas.dataset_export.critique_builders import CritiqueBuilderConfig, CritiquesBuilderConfig


class JudgeBuilderConfig(CritiqueBuilderConfig):
    """Critiques to judge by, and right solutions, for a policy that does both."""

    keeps: ClassVar[str] = "critiques and right answers"
    type: Literal["judge"] = "judge"
    solutions_per_problem: PerProblem | None = 4
    """Maximum number of distinct right solutions per problem; None for all."""


class SelfRewardingConfig(CritiquesBuilderConfig):
    """The best against the worst judged solution of a problem, for DPO (arXiv:2401.10020).

    A solution's score is the mean over its critiques: of the probability that it is right, where a
    critique has one, or else of its verdict. Grades decide nothing.
    """

    form: ClassVar[Form] = "preference"
    keeps: ClassVar[str] = "the best against the worst judged solution"
    type: Literal["self_rewarding"] = "self_rewarding"
    min_judgements: Annotated[int, Field(ge=1)] = 1
    """Minimum number of critiques with a verdict that a score rests on."""
    min_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Minimum difference of the two scores; equal scores never make a pair."""
    rejected: tuple[str, ...] | None = None
    """Models, by id, whose solutions are the rejected ones and never the chosen ones; None for all,
    in both places."""
