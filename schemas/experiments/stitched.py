"""Imitation of stitched search traces against best of N with a verifier, on the built-in world."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.builders import OutcomesConfig, StitchedConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.experiments.critics import SET
from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import Combined, Relation, StoredFigure
from schemas.policy_training import PolicyTrainingJob, SftConfig
from schemas.prm_training import PrmTrainingConfig, PrmTrainingJob
from schemas.problems import WorldProblemsConfig
from schemas.sampling import SamplingConfig, SamplingJob

PART = "world"
"""The part that holds everything: one run."""
HELD_OUT = "eval"
"""The set of the base's held-out solutions."""
_PAPER = "Scaling test-time compute without verification or RL is suboptimal, arXiv:2502.12118"
_CLAIM = "best of N with a verifier of the same size beats imitation of stitched traces"


class StitchedExperimentConfig(ExperimentConfig):
    """SFT on stitched traces (wrong attempts, then a right one) against ranking by a verifier.

    Both learn from the same solutions of the same policy. The policy that imitates samples, and its
    answers are voted on; the verifier ranks the first policy's solutions.
    """

    name: ClassVar[str] = "stitched"
    subject: ClassVar[Subject] = "What verification buys"
    details: ClassVar[str] = "verification.md#stitched-traces-on-the-built-in-world"
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "nums": (60, 240),
        "held_out": {"problems": {"num_problems": 60}, "sampling": {"num_samples": 8}},
        "evaluation": {"evaluation": {"budgets": (1, 4, 8)}},
        "train": {"sampling": {"num_samples": 4}},
        "imitation": {"method": {"epochs": 1}},
        "verifier": {"training": {"max_steps": 200}},
    }

    nums: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)] = (225, 900)
    """Problems whose solutions both learn from: the axis of data."""
    train: SamplingJob = SamplingJob(
        problems=WorldProblemsConfig(split="train", num_problems=900, seed=5),
        policy=VLLMConfig(model=SHIPPED_POLICY),
        sampling=SamplingConfig(
            num_samples=8, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
        ),
    )
    """Solutions to learn from; `nums` gives the number of problems."""
    held_out: SamplingJob = SamplingJob(
        problems=WorldProblemsConfig(split="dev", num_problems=200, seed=1),
        policy=VLLMConfig(model=SHIPPED_POLICY),
        sampling=SamplingConfig(num_samples=16, max_tokens=128, trajectories_per_unit=800),
    )
    """Solutions that are measured; those of imitators may be four times as long."""
    traces: DatasetExportJob = DatasetExportJob(builder=StitchedConfig())
    """The imitators' sets."""
    imitation: PolicyTrainingJob = PolicyTrainingJob(
        policy=VLLMConfig(model=SHIPPED_POLICY),
        training_set=SET,
        model_name="stitched",
        method=SftConfig(epochs=2),
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
    evaluation: EvaluationJob = EvaluationJob(
        set_name=HELD_OUT,
        evaluation=EvaluationConfig(budgets=(1, 4, 16), reductions=("last",), bins=("level",)),
    )
    """How both are measured; the budgets are the axis of compute."""

    @model_validator(mode="after")
    def _data_grow(self) -> Self:
        if len(set(self.nums)) < len(self.nums):
            raise ValueError(f"nums: expected different numbers of problems, got {self.nums}")
        most, num_samples = self.budgets[-1], self.held_out.sampling.num_samples
        if most > num_samples:
            raise ValueError(
                f"evaluation.budgets: expected at most the {num_samples} solutions of a problem "
                f"(held_out.sampling.num_samples), got {most}"
            )
        return self

    @property
    def budgets(self) -> tuple[int, ...]:
        """Candidates per problem."""
        return self.evaluation.evaluation.budgets

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        return (*self._verifier_wins(), *self._gap_grows())

    def _verifier_wins(self) -> Iterator[Relation]:
        for num in self.nums:
            for budget in self.budgets[1:]:
                yield Relation(
                    name="verifier_over_stitched",
                    claim=_CLAIM,
                    paper=_PAPER,
                    published="above at every budget and size of data",
                    larger=ranked(num, budget),
                    smaller=voted(num, budget),
                    point=f"{num} problems, N = {budget}",
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
                    larger=_gap(*more),
                    smaller=_gap(*less),
                    point=point,
                )


def set_of(num: int) -> str:
    """The set of solutions of so many problems."""
    return f"train{num}"


def imitator_set(num: int) -> str:
    """The set of held-out solutions of the policy that imitates them."""
    return f"stitched{num}"


def verifier_name(num: int) -> str:
    """The first part of the id of the verifier trained on them."""
    return f"verifier{num}"


def ranked(num: int, budget: int) -> StoredFigure:
    """Accuracy of the candidate with the highest score."""
    return StoredFigure(
        label=f"best of {budget} by the verifier",
        part=PART,
        metric="accuracy",
        strategy="best_of_n[last]",
        budget=budget,
        set_name=HELD_OUT,
        verifier=f"{verifier_name(num)}-*",
    )


def voted(num: int, budget: int) -> StoredFigure:
    """Accuracy of the imitator's vote."""
    return StoredFigure(
        label=f"vote of {budget} of the imitator",
        part=PART,
        metric="accuracy",
        strategy="majority",
        budget=budget,
        set_name=imitator_set(num),
    )


def _gap(num: int, budget: int) -> Combined:
    return Combined(
        label=f"gap, {num} problems, N = {budget}",
        terms=((1.0, ranked(num, budget)), (-1.0, voted(num, budget))),
    )
