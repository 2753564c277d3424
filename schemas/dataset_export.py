"""Training sets from stored solutions: one config per builder, their sources, and the checks."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, SetName, Since
from schemas.engines import EngineConfig
from schemas.evaluation import Reduction
from schemas.prompts import PromptConfig
from schemas.search import RevisionsConfig

Form = Literal["prompt_completion", "preference", "prompt_only", "stepwise"]
"""What TRL calls the columns of a set: SFT, DPO, GRPO and PRM trainers take one each."""

PerProblem = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Level = Annotated[int, Field(ge=0)]


class RestConfig(FrozenConfig):
    """Solutions above a threshold that rises with every improve step (ReST, arXiv:2308.08998)."""

    type: Literal["rest"] = "rest"
    by: Literal["grade", "score", "percentile", "none"] = "grade"
    """What must pass: `grade` right answers; `score` a verifier's reduced score of at least the
    threshold; `percentile` all but that share of the scored solutions, the lowest; `none` keeps
    every finished solution, which is what a filter is compared with."""
    thresholds: Annotated[tuple[Share, ...], Field(min_length=1)] = (
        0.0,
        0.7,
        0.8,
        0.9,
        0.95,
        0.99,
    )
    """One per improve step, rising; without meaning where grades decide."""
    improve_step: Annotated[int, Field(ge=0)] = 0
    """Which of the thresholds, from 0."""
    right_only: bool = False
    """Keep right answers alone among those that pass by their score."""
    reduction: Reduction = "min"
    """How a verifier's step scores become one."""
    per_problem: PerProblem | None = 4
    """Most distinct solutions of one problem; the best scored, or drawn; None for all."""
    mix_in: Share = 0.0
    """Share of the rows that are original data; fewer where there is not enough of it."""
    mix_set: SetName | None = None
    """Set whose right solutions are the original data; None for the worked solutions that came
    with the problems."""
    mix_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of an original row, where a sampled one weighs 1."""

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


class RestEmConfig(FrozenConfig):
    """Right answers, at most ten distinct ones per problem (ReST-EM, arXiv:2312.06585)."""

    type: Literal["rest_em"] = "rest_em"
    per_problem: PerProblem | None = 10
    """Most distinct right solutions of one problem; None for all."""


class ReverseCurriculumConfig(FrozenConfig):
    """Start states cut from right solutions, the end first (R3, arXiv:2402.05808).

    Stage m of M leaves the last m/M of a solution's steps to go, rounded up: 1 is the easiest, M
    the whole problem. Where a short solution's stages fall together, the highest is kept.
    """

    type: Literal["reverse_curriculum"] = "reverse_curriculum"
    num_stages: Annotated[int, Field(ge=1)] = 5
    """Cut points per solution (M)."""
    mode: Literal["mixed", "staged"] = "mixed"
    """`mixed` all stages in one set; `staged` one of them."""
    stage: Annotated[int, Field(ge=1)] | None = None
    """Which one, in mode `staged`."""
    shares: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    """Relative share of each stage in mode `mixed`, the easiest first, so that easy ends cannot
    flood the set; None for equal ones. 0 leaves a stage out."""
    per_problem: PerProblem | None = 1
    """Most right solutions of one problem that are cut; None for all."""

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


class PreferenceConfig(FrozenConfig):
    """Pairs of a better and a worse solution of one problem, for DPO."""

    type: Literal["preference"] = "preference"
    by: Literal["grade", "margin"] = "grade"
    """`grade` a right against a wrong one; `margin` a verifier's reduced scores at least
    `min_margin` apart, whatever the grades."""
    min_margin: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Least difference of the scores, by `margin`."""
    pairing: Literal["nearest", "random"] = "nearest"
    """Which worse one a better one meets: the nearest by character edit distance that no other
    pair of the problem has, or any."""
    reduction: Reduction = "min"
    """How a verifier's step scores become one."""
    per_problem: PerProblem | None = 4
    """Most pairs of one problem; None for as many as its better or worse solutions allow."""


class VStarConfig(FrozenConfig):
    """Right against wrong for a verifier trained by DPO (V-StaR, arXiv:2402.06457)."""

    type: Literal["v_star"] = "v_star"
    per_problem: PerProblem | None = 16
    """Most pairs of one problem, its solutions used evenly; None for all right x wrong."""


class StepwiseConfig(FrozenConfig):
    """Solutions with a label per step, for TRL's PRM trainer."""

    type: Literal["stepwise"] = "stepwise"
    method: str | None = None
    """Which labels, as the `method` column says; None where there is one method."""
    after_first_error: Literal["keep", "drop"] = "keep"
    """`drop` ends a solution with its first wrong step."""
    per_problem: PerProblem | None = None
    """Most solutions of one problem; None for all."""
    unlabelled: Annotated[Literal["cut", "keep"], Since(4)] = "cut"
    """`cut` ends a solution before its first step without a label, as TRL's trainer needs it;
    `keep` leaves such steps in with a null label, and solutions without any label whose answer was
    judged, for the project's own trainer."""
    order: Annotated[Literal["drawn", "sampled"], Since(4)] = "drawn"
    """Order of the rows: by problem id and then drawn, or as the solutions were sampled."""


class RevisionChainsConfig(FrozenConfig):
    """Zero to four wrong attempts, then a right one (arXiv:2408.03314, section 6.1).

    The attempts stand in the prompt as the `revisions` search writes them, the loss is on the
    right one alone. The last wrong one is the nearest to it by character edit distance.
    """

    type: Literal["revisions"] = "revisions"
    most_wrong: Annotated[int, Field(ge=0)] = 4
    """Most wrong attempts; how many is drawn evenly from 0 to this, or to as many as there are."""
    template: str = RevisionsConfig.model_fields["template"].default
    """What is asked from the second attempt on, with `{question}` and `{attempts}`."""
    per_problem: PerProblem | None = 4
    """Most chains of one problem, each with another right solution; None for all."""

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        RevisionsConfig(template=self.template)
        return self


class StitchedConfig(FrozenConfig):
    """Wrong attempts and then a right one, all of it one target (stitched search traces)."""

    type: Literal["stitched"] = "stitched"
    most_wrong: Annotated[int, Field(ge=1)] = 3
    """Most wrong attempts; how many is drawn evenly from 1 to this, or to as many as there are."""
    order: Literal["random", "nearer"] = "nearer"
    """Order of the wrong ones: as drawn, or the nearest to the right one last."""
    joiner: str = "\n"
    """Text behind each wrong attempt."""
    per_problem: PerProblem | None = 2
    """Most traces of one problem, each with another right solution; None for all."""


class SearchTreesConfig(FrozenConfig):
    """The best path of a search and its pruned siblings, as pairs at the step where they part."""

    type: Literal["search_trees"] = "search_trees"
    strategies: tuple[str, ...] | None = None
    """Searches to use, as the `strategy` column says; None for all that draw step by step."""
    span: Literal["step", "rest"] = "step"
    """How much is learned from where the paths part: the one step, or all that follows."""
    min_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least difference of the two steps' scores, where the search scored them."""
    per_problem: PerProblem | None = 16
    """Most pairs of one problem; None for all."""


class EasyToHardConfig(FrozenConfig):
    """Rows of easy problems, for what is then measured on hard ones (arXiv:2403.09472)."""

    type: Literal["easy_to_hard"] = "easy_to_hard"
    target: Literal["policy", "verifier"] = "policy"
    """`policy` right solutions, `verifier` solutions with step labels."""
    part: Literal["easy", "hard", "all"] = "easy"
    """Which problems; `all` and `hard` are what `easy` is compared with."""
    easy_levels: Annotated[tuple[Level, ...], Field(min_length=1)] = (1, 2, 3)
    """Levels that are easy; every other one is hard, and a problem without level is in no part."""
    per_problem: PerProblem | None = 10
    """Most solutions of one problem; None for all."""
    method: str | None = None
    """Which step labels, for a verifier; None where there is one method."""


BuilderConfig = Annotated[
    RestConfig
    | RestEmConfig
    | ReverseCurriculumConfig
    | PreferenceConfig
    | VStarConfig
    | StepwiseConfig
    | RevisionChainsConfig
    | StitchedConfig
    | SearchTreesConfig
    | EasyToHardConfig,
    Field(discriminator="type"),
]


class SourceConfig(FrozenConfig):
    """Which stored solutions a set is made from."""

    set_names: Annotated[tuple[SetName, ...], Field(min_length=1)] = ("train",)
    """Sets of problems whose solutions are used."""
    splits: Annotated[tuple[str, ...], Field(min_length=1)] = ("train",)
    """Splits that these problems may be of: what is measured on must not be trained on."""
    more_runs: tuple[str, ...] = ()
    """Runs whose solutions are used beside those of the run itself."""
    policies: tuple[str, ...] | None = None
    """Models whose solutions are used, by id; None for all."""
    rounds: tuple[int, ...] | None = None
    """Rounds of a loop whose solutions are used; None for all."""
    verifier: str | None = None
    """Whose scores are used, by id; None where one verifier scored."""


class ChecksConfig(FrozenConfig):
    """What is left out before anything is written; all of it is counted in the card."""

    test_sets: tuple[SetName, ...] | None = None
    """Sets of the runs that no row may touch; None for all that are no source."""
    ngram: Annotated[int, Field(ge=2)] = 13
    """Words in a row that count as one piece of a question."""
    max_overlap: Annotated[float, Field(gt=0, le=1)] | None = 0.5
    """A problem is left out if this share of its pieces is in one of the test questions' pieces;
    None looks for equal questions alone. Lower suits texts that share no template."""
    duplicates: Literal["drop", "keep"] = "drop"
    """`keep` leaves equal and nearly equal solutions in, so that each weighs as much as the policy
    writes it: right ones are alike more often than wrong ones."""
    near_duplicate: Annotated[float, Field(gt=0, le=1)] | None = 0.95
    """A solution is left out if its three-word pieces are this alike (Jaccard) those of an earlier
    one of the same problem, grade and answer; None leaves out equal texts alone."""
    leakage: Literal["marked", "off"] = "marked"
    """`marked` leaves out problems whose prompt marks the gold answer as the answer."""
    max_step_repeats: Annotated[int, Field(ge=1)] | None = 2
    """Times that a solution may have the same step; None for any."""
    min_step_chars: Annotated[int, Field(ge=0)] = 2
    """Visible characters that every step has at least."""
    min_steps: Annotated[int, Field(ge=1)] = 1
    """Steps that a solution has at least."""


class DatasetExportJob(FrozenConfig):
    """One training set: what is built, from which solutions, as which text."""

    builder: BuilderConfig = RestConfig()
    """What is built."""
    source: SourceConfig = SourceConfig()
    """From which solutions."""
    checks: ChecksConfig = ChecksConfig()
    """What is left out."""
    prompt: PromptConfig | None = None
    """How the policy was asked; None for what the run has on record."""
    policy: EngineConfig | None = None
    """The model whose chat template and tokenizer the set is for; None for the recorded one."""
    max_rows: Annotated[int, Field(ge=1)] | None = None
    """Most rows, drawn evenly from all; None for all."""
    rows_per_file: Annotated[int, Field(ge=1)] = 100_000
    """Rows of one Parquet file."""
    seed: int = 0
    """Decides what is drawn where there is more than is kept."""

    @model_validator(mode="after")
    def _sources_are_no_tests(self) -> Self:
        if both := sorted(set(self.source.set_names) & set(self.checks.test_sets or ())):
            raise ValueError(
                f"checks.test_sets: expected sets that are no source, got {', '.join(both)}"
            )
        return self

    @property
    def kind(self) -> str:
        """The builder's name, which begins the set's."""
        return self.builder.type

    @property
    def form(self) -> Form:
        """The form of the rows."""
        if isinstance(self.builder, EasyToHardConfig):
            return "prompt_completion" if self.builder.target == "policy" else "stepwise"
        return _FORMS[self.builder.type]


_FORMS: dict[str, Form] = {
    "rest": "prompt_completion",
    "rest_em": "prompt_completion",
    "reverse_curriculum": "prompt_only",
    "preference": "preference",
    "v_star": "preference",
    "stepwise": "stepwise",
    "revisions": "prompt_completion",
    "stitched": "prompt_completion",
    "search_trees": "preference",
}
