"""Imitation of stitched search traces against best of N with a verifier, on the built-in world."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.builders import OutcomesConfig, StitchedConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.experiments.critics import SET
from schemas.experiments.experiment import TRAINED, ExperimentConfig, Subject
from schemas.experiments.relation import Combined, DecidedAnswers, Relation
from schemas.policy_training import PolicyTrainingJob, SftConfig
from schemas.prm_training import PrmTrainingConfig, PrmTrainingJob
from schemas.problems import WorldProblemsConfig
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.strategies import BestOfNConfig, MajorityConfig

_PAPER = "Scaling test-time compute without verification or RL is suboptimal, arXiv:2502.12118"
_Pick = Literal["best_of_n", "weighted"]
_PICKS: Mapping[_Pick, str] = {"best_of_n": "best of N", "weighted": "weighted vote"}
_CLAIM = "best of N with a verifier of the same size beats imitation of stitched traces"


class StitchedExperimentConfig(ExperimentConfig):
    """SFT on stitched traces (wrong attempts, then a right one) against ranking by a verifier.

    Both learn from the same solutions of the same policy. The policy that imitates samples, and its
    answers are voted on; the verifier ranks the first policy's solutions.
    """

    name: ClassVar[str] = "stitched"
    subject: ClassVar[Subject] = "What verification buys"
    details: ClassVar[str] = "verification.md#stitched-traces-on-the-built-in-world"
    quick_minutes: ClassVar[float | None] = 4.0
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "nums": (60, 240),
        "train": {"sampling": {"num_samples": 4}},
        "verifier": {"training": {"max_steps": 200}},
        "votes": {"problems": {"num_problems": 60}, "budgets": (1, 8)},
        "ranking": {"problems": {"num_problems": 60}, "budgets": (1, 8)},
    }

    nums: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)] = (225, 900)
    """Problems whose solutions both learn from: the axis of data."""
    train: SamplingJob = SamplingJob(
        set_name="train",
        problems=WorldProblemsConfig(split="train", num_problems=900, seed=5),
        policy=VLLMConfig(model=SHIPPED_POLICY),
        sampling=SamplingConfig(
            num_samples=8, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
        ),
    )
    """Solutions to learn from; `nums` gives the number of problems."""
    traces: DatasetExportJob = DatasetExportJob(builder=StitchedConfig())
    """The imitators' sets."""
    imitation: PolicyTrainingJob = PolicyTrainingJob(
        policy=VLLMConfig(model=SHIPPED_POLICY),
        training_set=SET,
        model_name="stitched",
        method=SftConfig(epochs=4, warmup_steps=5),
    )
    """How they are trained."""
    graded: DatasetExportJob = DatasetExportJob(builder=OutcomesConfig())
    """The verifiers' sets: every solution, and whether it is right."""
    verifier: PrmTrainingJob = PrmTrainingJob(
        policy=VLLMConfig(model=SHIPPED_POLICY),
        training_set=SET,
        training=PrmTrainingConfig(
            base_model=SHIPPED_POLICY, data="orm", hidden_lr=1e-3, max_steps=1500
        ),
    )
    """How they are trained: from the same weights, on the answer's label."""
    votes: SearchJob = SearchJob(
        policy=TRAINED,
        strategies=(MajorityConfig(),),
        budgets=(1, 4, 16),
        score=ScoreConfig(by="likelihood"),
        limits=SearchLimits(max_tokens=300),
    )
    """Votes of an imitator's answers, which may follow three others in a text; the budgets are the
    axis of compute."""
    ranking: SearchJob = SearchJob(
        verifier=TRAINED,
        strategies=(BestOfNConfig(),),
        budgets=(1, 4, 16),
        score=ScoreConfig(by="verifier", reduction="last"),
        limits=SearchLimits(max_tokens=128),
    )
    """The first policy's solutions, ranked by a verifier."""

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        if len(set(self.nums)) < len(self.nums):
            raise ValueError(f"nums: expected different numbers of problems, got {self.nums}")
        if self.votes.budgets != self.ranking.budgets:
            raise ValueError(
                f"votes.budgets and ranking.budgets: expected the same, got {self.votes.budgets} "
                f"and {self.ranking.budgets}"
            )
        if self.votes.problems != self.ranking.problems:
            raise ValueError("votes.problems and ranking.problems: expected the same, got others")
        return self

    @property
    def budgets(self) -> tuple[int, ...]:
        """Candidates per problem."""
        return self.votes.budgets

    def part_names(self) -> list[str]:
        """See ExperimentConfig."""
        places = range(1, len(self.nums) + 1)
        return [f"{kind}{place}" for place in places for kind in ("learning", "voting", "ranking")]

    def part_of(self, kind: Literal["learning", "voting", "ranking"], num: int) -> str:
        """The part for `num` problems in which both learn, or in which one of them is measured.

        It is named by the place of the number in `nums`, from 1.
        """
        return f"{kind}{self.nums.index(num) + 1}"

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        return (*self._verifier_wins(), *self._gap_grows())

    def _verifier_wins(self) -> Iterator[Relation]:
        for num in self.nums:
            for budget in self.budgets[1:]:
                for pick in get_args(_Pick):
                    yield Relation(
                        name="verifier_over_stitched",
                        claim=_CLAIM,
                        paper=_PAPER,
                        published="above at every budget and size of data",
                        larger=self._ranked(num, budget, pick),
                        smaller=self._voted(num, budget),
                        point=f"{_PICKS[pick]}, {num} problems, N = {budget}",
                    )

    def _gap_grows(self) -> Iterator[Relation]:
        claim = "its advantage grows with compute and data"
        num, budget = max(self.nums), self.budgets[-1]
        places = [((num, budget), (num, self.budgets[0]), f"N = {budget} above {self.budgets[0]}")]
        if min(self.nums) < num:
            fewer = min(self.nums)
            places.append(((num, budget), (fewer, budget), f"{num} problems above {fewer}"))
        for more, less, point in places:
            if more != less:
                yield Relation(
                    name="verifier_advantage_grows",
                    claim=claim,
                    paper=_PAPER,
                    published="grows with both",
                    larger=self._gap(*more),
                    smaller=self._gap(*less),
                    point=point,
                )

    def _ranked(self, num: int, budget: int, pick: _Pick = "best_of_n") -> DecidedAnswers:
        return DecidedAnswers(
            label=f"{_PICKS[pick]} by the verifier, N = {budget}",
            part=self.part_of("ranking", num),
            strategy="best_of_n*",
            budget=budget,
            pick=f"{pick}[last]",
        )

    def _voted(self, num: int, budget: int) -> DecidedAnswers:
        return DecidedAnswers(
            label=f"vote of {budget} of the imitator",
            part=self.part_of("voting", num),
            strategy="majority",
            budget=budget,
        )

    def _gap(self, num: int, budget: int) -> Combined:
        return Combined(
            label=f"gap, {num} problems, N = {budget}",
            terms=((1.0, self._ranked(num, budget)), (-1.0, self._voted(num, budget))),
        )
