"""The builders of training sets: each has a config, which says what it reads and makes.

To add a builder, add a config here and its name to the union `Builder`, and a module of that name
in `tasks/dataset_export/builders/` with one function, `build`.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import SetName, Since, Was
from schemas.dataset_export.builder import (
    BuilderConfig as BuilderConfig,
)
from schemas.dataset_export.builder import (
    Form as Form,
)
from schemas.dataset_export.builder import (
    Level as Level,
)
from schemas.dataset_export.builder import (
    PerProblem as PerProblem,
)
from schemas.dataset_export.builder import (
    Reads as Reads,
)
from schemas.dataset_export.builder import (
    Share as Share,
)
from schemas.dataset_export.critique_builders import (
    CritiqueBuilderConfig,
    CritiqueRequestsBuilderConfig,
    RefinementBuilderConfig,
)
from schemas.dataset_export.judge_builders import JudgeBuilderConfig, SelfRewardingConfig
from schemas.dataset_export.score_builders import OutcomesConfig, ScoreConfig
from schemas.dataset_export.state_builders import ReverseCurriculumConfig, WholeProblemsConfig
from schemas.dataset_export.talk_builders import SelfTalkConfig
from schemas.dataset_export.turn_builders import RevisionOutcomesConfig, RiseConfig
from schemas.dataset_export.weak_builders import WeakLabelsConfig, WorkedConfig
from schemas.evaluation import Reduction
from schemas.search.strategies import RevisionsConfig


class RestConfig(BuilderConfig):
    """Solutions above a threshold that rises with every improve step (ReST, arXiv:2308.08998)."""

    type: Literal["rest"] = "rest"
    by: Literal["grade", "score", "percentile", "none"] = "grade"
    """The filter: `grade` keeps right answers; `score` those whose reduced verifier score reaches
    the threshold; `percentile` all but the lowest scored ones, where the threshold is their share;
    `none` every finished solution, as a control."""
    thresholds: Annotated[tuple[Share, ...], Field(min_length=1)] = (
        0.0,
        0.7,
        0.8,
        0.9,
        0.95,
        0.99,
    )
    """One per improve step, increasing; unused if grades decide."""
    improve_step: Annotated[int, Field(ge=0)] = 0
    """Index of the threshold, from 0."""
    right_only: bool = False
    """Of the solutions that pass by score, keep only those with right answers."""
    reduction: Reduction = "min"
    """How a verifier's step scores are reduced to one."""
    per_problem: PerProblem | None = 4
    """Maximum number of distinct solutions per problem: the best scored or, without scores, random
    ones; None for all."""
    mix_in: Share = 0.0
    """Share of the rows that are original data; less if not enough exists."""
    mix_set: SetName | None = None
    """Set whose right solutions are the original data; None for the worked solutions that came
    with the problems."""
    mix_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of an original row, relative to 1 for a sampled one."""

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        if any(a >= b for a, b in zip(self.thresholds, self.thresholds[1:], strict=False)):
            raise ValueError(f"thresholds: expected them to rise, got {list(self.thresholds)}")
        if self.improve_step >= len(self.thresholds):
            raise ValueError(
                f"improve_step: expected less than the {len(self.thresholds)} thresholds, "
                f"got {self.improve_step}"
            )
        return self

    @property
    def threshold(self) -> float:
        """The threshold of this improve step."""
        return self.thresholds[self.improve_step]

    @property
    def only_right(self) -> bool:
        """Whether every row has a right answer."""
        return self.by == "grade" or self.right_only

    @property
    def reads(self) -> Reads:
        """See BuilderConfig."""
        if self.by == "grade":
            return "grades"
        return "solutions" if self.by == "none" else "scores"

    @property
    def keeps(self) -> str:
        """See BuilderConfig."""
        return "right answers" if self.only_right else "every finished solution"

    @property
    def score_reduction(self) -> Reduction:
        """See BuilderConfig."""
        return self.reduction

    @property
    def min_score(self) -> float | None:
        """See BuilderConfig."""
        return self.threshold if self.by == "score" else None

    @property
    def score_quantile(self) -> float | None:
        """See BuilderConfig."""
        return self.threshold if self.by == "percentile" else None

    @property
    def mixes_in(self) -> bool:
        """See BuilderConfig."""
        return self.mix_in > 0

    @property
    def original_sets(self) -> tuple[str, ...]:
        """See BuilderConfig."""
        return (self.mix_set,) if self.mix_in and self.mix_set else ()


class RestEmConfig(BuilderConfig):
    """Right answers, at most ten distinct ones per problem (ReST-EM, arXiv:2312.06585)."""

    keeps: ClassVar[str] = "right answers"
    type: Literal["rest_em"] = "rest_em"
    per_problem: PerProblem | None = 10
    """Maximum number of distinct right solutions per problem; None for all."""


class PreferenceConfig(BuilderConfig):
    """Pairs of a better and a worse solution of one problem, for DPO."""

    form: ClassVar[Form] = "preference"
    needs_wrong: ClassVar[bool] = True
    type: Literal["preference"] = "preference"
    by: Literal["grade", "margin"] = "grade"
    """`grade` pairs right with wrong ones; `margin` those whose reduced verifier scores are at
    least `min_margin` apart, whatever their grades."""
    min_margin: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Minimum difference of the scores, for `margin`."""
    pairing: Literal["nearest", "random"] = "nearest"
    """The worse solution of a pair: the nearest to the better one by character edit distance, or a
    random one, among those of the problem that are in no other pair."""
    reduction: Reduction = "min"
    """How a verifier's step scores are reduced to one."""
    per_problem: PerProblem | None = 4
    """Maximum number of pairs per problem; None for all that its solutions allow."""

    @property
    def reads(self) -> Reads:
        """See BuilderConfig."""
        return "scores" if self.by == "margin" else "grades"

    @property
    def keeps(self) -> str:
        """See BuilderConfig."""
        if self.by == "margin":
            return f"{self.reduction} scores at least {self.min_margin:g} apart"
        return "right against wrong answers"

    @property
    def score_reduction(self) -> Reduction:
        """See BuilderConfig."""
        return self.reduction


class VStarConfig(BuilderConfig):
    """Right against wrong solutions for a verifier trained by DPO (V-StaR, arXiv:2402.06457)."""

    form: ClassVar[Form] = "preference"
    needs_wrong: ClassVar[bool] = True
    type: Literal["v_star"] = "v_star"
    per_problem: PerProblem | None = 16
    """Maximum number of pairs per problem, which use its solutions evenly; None for every right
    one with every wrong one."""


class StepwiseConfig(BuilderConfig):
    """Solutions with a label per step, for TRL's PRM trainer."""

    form: ClassVar[Form] = "stepwise"
    reads: ClassVar[Reads] = "labels"
    keeps: ClassVar[str] = "labelled steps"
    type: Literal["stepwise"] = "stepwise"
    method: str | None = None
    """The labels to use, as in the `method` column; None if only one method exists."""
    after_first_error: Literal["keep", "drop"] = "keep"
    """`drop` ends a solution after its first wrong step."""
    per_problem: PerProblem | None = None
    """Maximum number of solutions per problem; None for all."""
    unlabelled: Annotated[Literal["cut", "keep"], Since(4)] = "cut"
    """`cut` ends a solution before its first step without a label, as TRL's trainer requires. For
    the project's own trainer `keep` leaves such steps in with a null label, and also solutions
    without any label whose answer was graded."""
    order: Annotated[Literal["drawn", "sampled"], Since(4)] = "drawn"
    """Order of the rows: by problem id and then random, or as the solutions were sampled."""

    @property
    def label_method(self) -> str | None:
        """See BuilderConfig."""
        return self.method


class RevisionChainsConfig(BuilderConfig):
    """Zero to four wrong attempts, then a right one (arXiv:2408.03314, section 6.1).

    The prompt holds the wrong attempts as the `revisions` search writes them; the loss is on the
    right one only. The last wrong one is the nearest to it by character edit distance.
    """

    type: Literal["revisions"] = "revisions"
    max_wrong: Annotated[int, Field(ge=0), Was("most_wrong")] = 4
    """Maximum number of wrong attempts; the number is drawn uniformly from 0 to this, or to the
    number that exists if that is less."""
    template: str = RevisionsConfig.model_fields["template"].default
    """The prompt from the second attempt on, with `{question}` and `{attempts}`."""
    joiner: Annotated[str, Since(4)] = RevisionsConfig.model_fields["joiner"].default
    """What stands between two attempts in the prompt, as in the search."""
    per_problem: PerProblem | None = 4
    """Maximum number of chains per problem, each with a different right solution; None for all."""

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        RevisionsConfig(template=self.template)
        return self


class StitchedConfig(BuilderConfig):
    """Wrong attempts and then a right one, all in one target (stitched search traces)."""

    needs_wrong: ClassVar[bool] = True
    type: Literal["stitched"] = "stitched"
    max_wrong: Annotated[int, Field(ge=1), Was("most_wrong")] = 3
    """Maximum number of wrong attempts; the number is drawn uniformly from 1 to this, or to the
    number that exists if that is less."""
    order: Literal["random", "nearer"] = "nearer"
    """Order of the wrong attempts: random, or ending with the nearest to the right one."""
    joiner: str = "\n"
    """Text that follows each wrong attempt."""
    per_problem: PerProblem | None = 2
    """Maximum number of traces per problem, each with a different right solution; None for all."""


class SearchTreesConfig(BuilderConfig):
    """The best path of a search against pruned branches: pairs at the step where they diverge."""

    form: ClassVar[Form] = "preference"
    reads: ClassVar[Reads] = "trees"
    keeps: ClassVar[str] = "best paths against pruned branches"
    ends_with_text: ClassVar[bool] = False
    """A pruned branch stops before the end of its solution, whatever `span` is."""
    type: Literal["search_trees"] = "search_trees"
    strategies: tuple[str, ...] | None = None
    """Searches to use, as named in the `strategy` column; None for all that draw step by step."""
    span: Literal["step", "rest"] = "step"
    """What is learned where the paths diverge: one step, or everything that follows."""
    min_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Minimum difference of the two steps' scores, if the search scored them."""
    per_problem: PerProblem | None = 16
    """Maximum number of pairs per problem; None for all."""

    @property
    def searches(self) -> tuple[str, ...] | None:
        """See BuilderConfig."""
        return self.strategies


class EasyToHardConfig(BuilderConfig):
    """Rows of easy problems, for a model that is measured on hard ones (arXiv:2403.09472)."""

    type: Literal["easy_to_hard"] = "easy_to_hard"
    target: Literal["policy", "verifier"] = "policy"
    """`policy` makes rows of right solutions, `verifier` rows of solutions with step labels."""
    part: Literal["easy", "hard", "all"] = "easy"
    """Which problems; `all` and `hard` are what `easy` is compared with."""
    easy_levels: Annotated[tuple[Level, ...], Field(min_length=1)] = (1, 2, 3)
    """Levels that are easy; all others are hard. Problems without a level are left out."""
    per_problem: PerProblem | None = 10
    """Maximum number of solutions per problem; None for all."""
    method: str | None = None
    """The step labels to use, for a verifier; None if only one method exists."""

    @property
    def form(self) -> Form:
        """See BuilderConfig."""
        return "prompt_completion" if self.target == "policy" else "stepwise"

    @property
    def reads(self) -> Reads:
        """See BuilderConfig."""
        return "grades" if self.target == "policy" else "labels"

    @property
    def keeps(self) -> str:
        """See BuilderConfig."""
        levels = ", ".join(map(str, self.easy_levels))
        return f"the {self.part} problems; levels {levels} are easy"

    @property
    def label_method(self) -> str | None:
        """See BuilderConfig."""
        return self.method


Builder = Annotated[
    RestConfig
    | RestEmConfig
    | ReverseCurriculumConfig
    | WholeProblemsConfig
    | PreferenceConfig
    | VStarConfig
    | StepwiseConfig
    | RevisionChainsConfig
    | RevisionOutcomesConfig
    | RiseConfig
    | StitchedConfig
    | SearchTreesConfig
    | EasyToHardConfig
    | CritiqueBuilderConfig
    | RefinementBuilderConfig
    | CritiqueRequestsBuilderConfig
    | JudgeBuilderConfig
    | SelfRewardingConfig
    | SelfTalkConfig
    | ScoreConfig
    | OutcomesConfig
    | WeakLabelsConfig
    | WorkedConfig,
    Field(discriminator="type"),
]
