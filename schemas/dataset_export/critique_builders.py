"""The builders that read critiques: each has a config here, and a module of its name.

They are in the union `Builder` of `builders.py`, and share how critics are chosen.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.critique_formats import CritiqueFormatConfig
from schemas.dataset_export.builder import BuilderConfig, Form, PerProblem, Reads, Share


class AskingBuilderConfig(BuilderConfig):
    """Base of the builders whose prompts ask a critic, or an actor who was criticised."""

    reads: ClassVar[Reads] = "critiques"
    asks: ClassVar[Literal["actor", "critic"]] = "actor"
    """Whose recorded prompt the rows get."""
    format: CritiqueFormatConfig | None = None
    """How critic and actor are asked; None for the recorded format of the critiques."""


class CritiquesBuilderConfig(AskingBuilderConfig):
    """Base of the builders that read critiques: which ones."""

    needs_attempts: ClassVar[bool] = False
    """Whether it needs right second attempts after critiques."""
    reads_retries: ClassVar[bool] = False
    """Whether it reads second attempts without a critique, which belong to no critic."""
    critics: tuple[str, ...] | None = None
    """What wrote the critiques that are used, as in the column `critic`; None if only one did."""
    told: str | None = None
    """What it knew besides question and solution, as in the column `told`; None for anything."""
    actors: tuple[str, ...] | None = None
    """Models whose second attempts count, by id; None for all."""


class CritiqueBuilderConfig(CritiquesBuilderConfig):
    """Critiques to learn from: question and solution, then the critique (arXiv:2411.16579).

    The prompt is the critic's without what only its teacher was told.
    """

    asks: ClassVar[Literal["actor", "critic"]] = "critic"
    keeps: ClassVar[str] = "critiques"
    type: Literal["critique"] = "critique"
    faultless: bool = True
    """Keep only critiques without fault: with a verdict, a judgement of every step that their
    format wants one for, and no contradiction between them."""
    verdict_agrees: bool = True
    """Keep only critiques whose verdict is that of the grader."""
    min_solved: Annotated[float, Field(gt=0, le=1)] | None = None
    """Minimum share of right second attempts with a critique of a wrong solution, 0.3 in
    AutoMathCritique; None keeps critiques without second attempts, too. Critiques of right
    solutions have none to pass."""
    min_trials: Annotated[int, Field(ge=1)] = 1
    """Minimum number of second attempts that this share is of, 10 in AutoMathCritique."""
    right_share: Share | None = None
    """Maximum share of the rows that are about right solutions; None for as many as there are."""
    per_solution: PerProblem | None = 1
    """Maximum number of critiques per solution; None for all."""
    per_problem: PerProblem | None = None
    """Maximum number of critiques per problem; None for all."""


class RefinementBuilderConfig(CritiquesBuilderConfig):
    """Right second attempts at wrong solutions, with a critique's help (arXiv:2411.16579).

    A row for a question and its second attempt; by switches also rows with the wrong attempt and
    the critique in the prompt, and right first attempts.
    """

    needs_attempts: ClassVar[bool] = True
    keeps: ClassVar[str] = "right second attempts"
    type: Literal["refinement"] = "refinement"
    with_critique: bool = False
    """Also rows from question, wrong attempt and critique to the second attempt."""
    with_samples: bool = False
    """Also right first attempts, which come before second ones where not all are kept."""
    shortcut_slack: Annotated[int, Field(ge=0)] | None = 2
    """A second attempt that has more than so many fewer numbers than both the first attempt and a
    right solution is left out as a shortcut: it gives the answer without the work. None keeps
    all."""
    per_problem: PerProblem | None = 4
    """Maximum number of distinct right solutions per problem; with critiques as many more rows.
    None for all."""


class CritiqueRequestsBuilderConfig(AskingBuilderConfig):
    """Solutions that a critic is asked about, to be rewarded by what follows (arXiv:2502.03492)."""

    form: ClassVar[Form] = "prompt_only"
    asks: ClassVar[Literal["actor", "critic"]] = "critic"
    keeps: ClassVar[str] = "solutions to criticise"
    type: Literal["critique_requests"] = "critique_requests"
    which: Literal["all", "wrong", "right"] = "all"
    """Which graded solutions."""
    right_share: Share | None = None
    """Maximum share of the rows that are about right solutions; None for as many as there are."""
    per_problem: PerProblem | None = 4
    """Maximum number of solutions per problem, wrong ones first; None for all."""
