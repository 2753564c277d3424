"""Builders of sets from several attempts at a problem, one after another."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.dataset_export.builder import BuilderConfig, Form, PerProblem, Reads
from schemas.dataset_export.critique_builders import CritiquesBuilderConfig
from schemas.search.strategies import RevisionsConfig, strategy_of


class AttemptsBuilderConfig(BuilderConfig):
    """Base of builders whose prompts hold earlier attempts, as `revisions` writes them."""

    template: str = RevisionsConfig.model_fields["template"].default
    """The prompt from the second attempt on, with `{question}` and `{attempts}`."""
    joiner: str = RevisionsConfig.model_fields["joiner"].default
    """What stands between two attempts in the prompt."""

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        RevisionsConfig(template=self.template)
        return self


class RevisionOutcomesConfig(AttemptsBuilderConfig):
    """The attempts of `revisions` searches with their outcomes, for a verifier that sees history.

    A row's prompt holds the attempts before it (arXiv:2408.03314, appendix N); only its last step
    has a label, whether the attempt is right.
    """

    form: ClassVar[Form] = "stepwise"
    reads: ClassVar[Reads] = "trees"
    keeps: ClassVar[str] = "graded attempts of revision searches"
    searches_taken: ClassVar[str] = "by revisions"
    type: Literal["revision_outcomes"] = "revision_outcomes"
    strategies: tuple[str, ...] | None = None
    """Searches to use, as named in the `strategy` column; None for all `revisions`."""
    context: Annotated[int, Field(ge=1)] = RevisionsConfig.model_fields["context"].default
    """Maximum number of earlier attempts in a prompt, as in the search."""
    per_problem: PerProblem | None = None
    """Maximum number of attempts per problem; None for all."""

    @property
    def searches(self) -> tuple[str, ...] | None:
        """See BuilderConfig."""
        return self.strategies

    def takes_search(self, label: str) -> bool:
        """See BuilderConfig."""
        return strategy_of(label) is RevisionsConfig


class RiseConfig(AttemptsBuilderConfig, CritiquesBuilderConfig):
    """Improved attempts after a failed one, weighted by reward (RISE, arXiv:2407.18219).

    The improved attempt of a solution is the best of its second attempts. First attempts are rows
    too, with weight 1.
    """

    reads_retries: ClassVar[bool] = True
    keeps: ClassVar[str] = "first attempts and the best of the second ones"
    type: Literal["rise"] = "rise"
    criteria: Literal["all", "better", "best", "success"] = "better"
    """The second attempts that become rows: `all`, those `better` than the attempt before, those
    that no attempt before is better than (`best`), or right ones (`success`, which also leaves out
    first attempts that are not right)."""
    temperature: Annotated[float, Field(gt=0)] = 0.4
    """A second attempt with reward r has weight exp(r / temperature)."""
    unparsable: Annotated[float, Field(ge=-1, le=0)] = -1.0
    """Reward of an attempt without an answer; a right one has 1, a wrong one 0."""
    per_problem: PerProblem | None = 4
    """Maximum number of second attempts per problem; None for all."""

    def weight(self, reward: float) -> float:
        """The weight of a second attempt: 12.1825 for a right one, 1, or .0821 by default."""
        return math.exp(reward / self.temperature)
