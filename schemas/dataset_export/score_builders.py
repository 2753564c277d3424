"""Builders of the sets of SCORE: a refiner's rows, and a verifier's (arXiv:2404.17140)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.dataset_export.builder import BuilderConfig, Form, PerProblem, Reads, Share
from schemas.dataset_export.critique_builders import CritiquesBuilderConfig


class ScoreConfig(CritiquesBuilderConfig):
    """A critique and then the correction in one completion, for a refiner (arXiv:2404.17140).

    Of critiques whose critic was told a right solution, those are kept that pass rules and with
    which the policy, which is not told it, mends the wrong solution. Right solutions get critiques
    that find every step correct, and are repeated.
    """

    asks: ClassVar[Literal["actor", "critic"]] = "critic"
    needs_attempts: ClassVar[bool] = True
    keeps: ClassVar[str] = "critiques that mend, and right solutions"
    type: Literal["score"] = "score"
    told: str | None = "solution"
    """What the critic knew besides question and solution, as in the column `told`; None for
    anything."""
    min_solved: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Minimum share of right second attempts with a critique; published: one, greedy."""
    demands_answer: bool = False
    """Whether the last item of a critique must hold the gold answer, as in the repository, where
    the prompt asks for it; that item is removed in any case."""
    joiner: Annotated[str, Field(min_length=1)] | None = None
    """Between critique and correction; None for `Again:` in the format `lines`, and `New solution:`
    in `stepwise`, each on a line of its own."""
    right_share: Share | Literal["accuracy"] | None = "accuracy"
    """Share of the rows that are about right solutions, less if there are not enough: `accuracy`
    for the share of right ones among all solutions, as published; None for all of them."""
    per_problem: PerProblem | None = 4
    """Maximum number of rows per problem of either kind; None for all."""

    @property
    def written_joiner(self) -> str:
        """Between critique and correction."""
        if self.joiner is not None:
            return self.joiner
        is_lines = self.format is None or self.format.type == "lines"
        return "\nAgain:\n" if is_lines else "\n\nNew solution:\n\n"


class OutcomesConfig(BuilderConfig):
    """Right and wrong solutions with their grades alone, for a verifier of whole solutions."""

    form: ClassVar[Form] = "stepwise"
    needs_wrong: ClassVar[bool] = True
    reads: ClassVar[Reads] = "grades"
    keeps: ClassVar[str] = "graded solutions"
    type: Literal["outcomes"] = "outcomes"
    per_problem: PerProblem | None = None
    """Maximum number of solutions per problem; None for all."""
