"""The base of the builders' configs, whose class variables say what a builder is."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import FrozenConfig
from schemas.evaluation import Reduction
from schemas.search.strategies import draws_stepwise

Form = Literal["prompt_completion", "preference", "prompt_only", "stepwise"]
"""TRL's names for the forms of a set, for its SFT, DPO, GRPO and PRM trainers, in this order."""

Reads = Literal["solutions", "grades", "scores", "labels", "trees", "critiques", "talks", "worked"]
"""What a builder needs: finished `solutions`, right answers among them (`grades`), a verifier's
`scores` of them, step `labels` by one method, the `trees` of step-by-step searches, `critiques`
with the second attempts that they led to, `talks`, as the flow `self_talk` writes them, or the
`worked` solutions that came with the problems."""

PerProblem = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Level = Annotated[int, Field(ge=0)]


class BuilderConfig(FrozenConfig):
    """Base of the builders' configs. The class variables say what a builder is.

    If one of them depends on the settings, the builder has a property of the same name.
    """

    form: ClassVar[Form] = "prompt_completion"
    """The form of its rows."""
    reads: ClassVar[Reads] = "grades"
    """What it needs; a job is rejected before it starts if that does not exist."""
    needs_wrong: ClassVar[bool] = False
    """For builders that read grades: whether they need wrong answers besides right ones."""
    keeps: ClassVar[str] = "right against wrong answers"
    """What it keeps, as the card of the set says it."""
    ends_with_text: ClassVar[bool] = True
    """Whether a completion runs to the end of a solution, so that an end of text follows it."""
    score_reduction: ClassVar[Reduction] = "min"
    """How a verifier's step scores are reduced to one."""
    min_score: ClassVar[float | None] = None
    """Minimum score of a solution; None if scores do not decide, or a quantile does."""
    score_quantile: ClassVar[float | None] = None
    """Share of the scored solutions, the lowest, that the minimum score excludes."""
    label_method: ClassVar[str | None] = None
    """The method whose step labels it reads; None if only one exists."""
    searches: ClassVar[tuple[str, ...] | None] = None
    """Labels of the searches whose trees it reads; None for all."""
    searches_taken: ClassVar[str] = "that draw step by step"
    """The searches that `takes_search` accepts, in words."""
    mixes_in: ClassVar[bool] = False
    """Whether original data is mixed in: worked solutions, or right ones of `original_sets`."""
    original_sets: ClassVar[tuple[str, ...]] = ()
    """Sets of problems whose right solutions are the original data."""
    stage_shares: ClassVar[tuple[float, ...] | None] = None
    """Relative share of the rows of each stage, the first stage first; None keeps all rows."""

    extra_columns: ClassVar[tuple[str, ...]] = ()
    """Columns of its rows besides those of the form (see `schemas.training_rows`)."""

    type: str

    def takes_search(self, label: str) -> bool:
        """Whether a builder that reads trees can read those of a search with this label."""
        return draws_stepwise(label)
