"""Whether a strong model learns more from a weak one's labels than the weak one knows."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from schemas.base import FrozenConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.evaluation import EvaluationConfig
from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import Constant, Relation, StoredFigure
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.pretraining import SMALL, PretrainingConfig, SizedPolicyConfig
from schemas.problems import ProblemsConfig, WorldProblemsConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.step_labels import CheckerConfig, StepLabelsConfig
from schemas.training.confidence import ConfidenceConfig
from schemas.training.prm import PrmTrainingConfig
from schemas.training.sft import SftConfig

_PAPER = "Weak-to-strong generalisation, arXiv:2312.09390"
Learner = Literal["policy", "verifier"]
MEASURES: dict[Learner, tuple[str, ...]] = {
    "policy": ("policy",),
    "verifier": ("steps", "answers", "best_of_n"),
}
"""What is measured of each learner: solved problems; steps, answers and choices called right."""
_WORDS = {
    "policy": "pass@1 of policies",
    "steps": "steps that verifiers call right or wrong as they are",
    "answers": "answers that verifiers call right or wrong as they are",
    "best_of_n": "best of all samples by verifiers",
}


class WeakToStrongConfig(ExperimentConfig):
    """A strong policy and verifier taught by weak ones, against those and against the truth.

    The problems are halved. Weak models learn the first half from the truth and label the second;
    strong ones learn the second from those labels. The ceiling is strong and learns the first half
    from the truth.
    """

    name: ClassVar[str] = "weak_to_strong"
    subject: ClassVar[Subject] = "What verification buys"
    details: ClassVar[str] = "model-sizes.md#weak-to-strong"
    quick_minutes: ClassVar[float | None] = 5.0
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "weak": {
            "architecture": {"hidden_size": 64, "num_layers": 1, "num_heads": 2, "mlp_size": 64}
        },
        "pretraining": {"num_tokens": 600_000},
        "problems": {"num_problems": 300},
        "eval_problems": {"num_problems": 60},
        "taught_sampling": {"num_samples": 2},
        "judged_sampling": {"num_samples": 2},
        "eval_sampling": {"num_samples": 8},
        "imitation": {"max_steps": 60},
        "verifier_training": {"max_steps": 150},
    }

    learners: Annotated[tuple[Learner, ...], Field(min_length=1)] = ("policy", "verifier")
    """What learns."""
    weak: SizedPolicyConfig = SizedPolicyConfig(architecture=SMALL)
    """The model that the weak policy and the weak verifier are trained from."""
    strong: SizedPolicyConfig = SizedPolicyConfig(model=SHIPPED_POLICY)
    """The same of students and ceiling; larger, with the same tokenizer. It writes the solutions
    that verifiers learn from and are measured on."""
    pretraining: PretrainingConfig = PretrainingConfig(num_tokens=8_000_000, num_eval_problems=0)
    """The recipe of policies that are pretrained; their size replaces its `architecture`."""
    problems: ProblemsConfig = WorldProblemsConfig(split="train", num_problems=2000, seed=11)
    """The problems that are halved, every second one into the second half."""
    eval_problems: ProblemsConfig = WorldProblemsConfig(split="dev", num_problems=300, seed=1)
    """The problems on which everything is measured."""
    prompt: PromptConfig = PlainPromptConfig()
    """How policies are prompted."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    taught_sampling: SamplingConfig = SamplingConfig(
        num_samples=4, max_tokens=128, with_logprobs=False
    )
    """The weak policy's solutions of the second half, which are all imitated: the more of each
    problem, the softer its labels."""
    judged_sampling: SamplingConfig = SamplingConfig(
        num_samples=4, max_tokens=128, with_logprobs=False
    )
    """The strong policy's solutions of both halves, which verifiers learn from."""
    eval_sampling: SamplingConfig = SamplingConfig(
        num_samples=16, max_tokens=128, with_logprobs=False
    )
    """Solutions of the measured problems, by each policy."""
    labels: StepLabelsConfig = CheckerConfig()
    """What is taken for the truth about steps; on problems outside the built-in world, rollouts or
    a judge."""
    imitation: SftConfig = SftConfig(max_steps=400, num_workers=0)
    """How policies learn, all of them for as many steps."""
    verifier_training: PrmTrainingConfig = PrmTrainingConfig(
        base_model=SHIPPED_POLICY, hidden_lr=1e-3, max_steps=1500, num_workers=0
    )
    """How verifiers learn, all of them for as many steps; their size replaces its `base_model`.
    Students learn from soft labels."""
    confidence: ConfidenceConfig = ConfidenceConfig()
    """How much the confident student trusts itself."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Intervals."""
    pool: PoolConfig = PoolConfig()
    """The actors."""

    @field_validator("learners")
    @classmethod
    def _are_distinct(cls, learners: tuple[Learner, ...]) -> tuple[Learner, ...]:
        if len(set(learners)) < len(learners):
            raise ValueError(f"expected distinct learners, got {learners}")
        return learners

    def planned(self) -> list[tuple[str, FrozenConfig]]:
        """See ExperimentConfig."""
        found: list[tuple[str, FrozenConfig]] = [
            (f"policy-{name}", self.pretraining)
            for name, size in (("weak", self.weak), ("strong", self.strong))
            if size.model is None
        ]
        policy = VLLMConfig(model=self.strong.model or SHIPPED_POLICY)
        if "policy" in self.learners:
            taught = self.sampling_job("half_2", policy, self.taught_sampling)
            measured = self.sampling_job("eval", policy, self.eval_sampling)
            found += [("policy", job) for job in (taught, *[measured] * 4)]
        if "verifier" in self.learners:
            judged = self.sampling_job("half_1", policy, self.judged_sampling)
            measured = self.sampling_job("eval", policy, self.eval_sampling)
            found += [("verifier", job) for job in (judged, judged, measured)]
        return found

    def sampling_job(
        self,
        set_name: str,
        policy: VLLMConfig,
        sampling: SamplingConfig,
        round: int | None = None,
    ) -> SamplingJob:
        """A policy's solutions of one half, or of the problems that are measured on."""
        problems = self.eval_problems if set_name == "eval" else self.problems
        if set_name != "eval" and isinstance(problems, WorldProblemsConfig):
            # The half itself is committed before; this is its size.
            problems = problems.with_fields(num_problems=max(problems.num_problems // 2, 1))
        return SamplingJob(
            problems=problems,
            set_name=set_name,
            policy=policy,
            prompt=self.prompt,
            grader=self.grader,
            sampling=sampling,
            pool=self.pool,
            round=round,
        )

    def relations(self) -> tuple[Relation, ...]:
        """The relations that it measures."""
        measures = [name for learner in self.learners for name in MEASURES[learner]]
        return (
            *(_beats_teacher(name) for name in measures),
            *(_recovers(name) for name in measures),
            *(_confidence_helps(name) for name in measures),
        )


def _accuracy(name: str, arm: str, label: str) -> StoredFigure:
    return StoredFigure(metric="accuracy", strategy=name, arm=arm, label=label)


def _beats_teacher(name: str) -> Relation:
    return Relation(
        name="student_beats_teacher",
        claim="A strong model trained on a weak one's labels is better than the weak one",
        paper=_PAPER,
        published="in every setting of natural language and chess",
        larger=_accuracy(name, "student", "strong, taught by the weak one"),
        smaller=_accuracy(name, "weak", "weak, taught by the truth"),
        difference=StoredFigure(
            metric="gain_over", strategy=name, arm="student", against="weak", label="gain"
        ),
        point=_WORDS[name],
    )


def _recovers(name: str) -> Relation:
    return Relation(
        name="gap_is_recovered",
        claim="A good part of the gap between the weak model and the ceiling is recovered",
        paper=_PAPER,
        published="20 to 80% with the naive loss",
        larger=StoredFigure(
            metric="gap_recovered", strategy=name, arm="student", label="gap recovered"
        ),
        smaller=Constant(value=0.2, label="the least published"),
        point=_WORDS[name],
    )


def _confidence_helps(name: str) -> Relation:
    return Relation(
        name="confidence_helps",
        claim="A student that may disagree with weak labels is better than one that trusts them",
        paper=_PAPER,
        published="gap recovered up to 80% instead of 30% where the gap is large",
        larger=_accuracy(name, "confident", "with the confidence loss"),
        smaller=_accuracy(name, "student", "without"),
        difference=StoredFigure(
            metric="gain_over", strategy=name, arm="confident", against="student", label="gain"
        ),
        point=_WORDS[name],
    )
