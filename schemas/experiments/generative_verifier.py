"""A generative verifier against a discriminative PRM trained on as many labels."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.builders import StepwiseConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.evaluation import EvaluationJob
from schemas.experiments.critics import QUICK_CRITICS, SET, CriticTrainedConfig
from schemas.experiments.experiment import Subject
from schemas.experiments.relation import Relation, StoredFigure
from schemas.generative import GenerativeConfig
from schemas.prm_training import PrmTrainingConfig, PrmTrainingJob
from schemas.problems import WorldProblemsConfig
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.step_labels import CheckerConfig, StepLabelsJob

_PAPER = "ThinkPRM, arXiv:2504.16828"


class GenerativeVerifierConfig(CriticTrainedConfig):
    """A trained critic read as a verifier, and a PRM on the exact checker's labels of as many."""

    name: ClassVar[str] = "generative_verifier"
    subject: ClassVar[Subject] = "Critics"
    details: ClassVar[str] = "critics.md#a-generative-verifier-against-a-discriminative-prm"
    whole_minutes: ClassVar[float | None] = 17
    quick_fields: ClassVar[Mapping[str, Any]] = {
        **{name: fields for name, fields in QUICK_CRITICS.items() if name != "held_out"},
        "held_out": {"problems": {"num_problems": 50}, "sampling": {"num_samples": 8}},
        "prm": {"training": {"max_steps": 300}},
        "evaluation": {"evaluation": {"budgets": (1, 4, 8)}},
    }

    held_out: SamplingJob = SamplingJob(
        problems=WorldProblemsConfig(split="dev", num_problems=200, seed=1),
        policy=VLLMConfig(model=SHIPPED_POLICY),
        sampling=SamplingConfig(num_samples=16, max_tokens=128),
    )
    """Solutions that the verifiers score, as the set `dev16`."""
    labels: StepLabelsJob = StepLabelsJob(
        policy=VLLMConfig(model=SHIPPED_POLICY), labels=CheckerConfig()
    )
    """Labels that the PRM learns from, and the truth of the held-out solutions."""
    prm_set: DatasetExportJob = DatasetExportJob(builder=StepwiseConfig(per_problem=4))
    """The PRM's training set; it gets no more rows than the critic's has."""
    prm: PrmTrainingJob = PrmTrainingJob(
        policy=VLLMConfig(model=SHIPPED_POLICY),
        training_set=SET,
        training=PrmTrainingConfig(base_model=SHIPPED_POLICY, hidden_lr=1e-3, max_steps=1500),
    )
    """How the PRM is trained."""
    generative: GenerativeConfig = GenerativeConfig(max_tokens=128)
    """How the critic is asked for its verdicts."""
    evaluation: EvaluationJob = EvaluationJob(set_name="dev16")
    """How both are measured."""
    prm_name: Annotated[str, Field(min_length=1)] = "verifier-*"
    """The PRM as rows name it, or what its name begins with and `*`."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        budgets = self.evaluation.evaluation.budgets
        most = max(n for n in budgets if n <= self.held_out.sampling.num_samples)
        return tuple(
            Relation(
                name="generative_over_discriminative",
                claim="a generative verifier beats a discriminative PRM with as many labels",
                paper=_PAPER,
                published="1K chains above all 712K labels of PRM800K",
                larger=_figure(metric, strategy, budget, "critic-*"),
                smaller=_figure(metric, strategy, budget, self.prm_name),
                point=words,
            )
            for metric, strategy, budget, words in (
                ("first_error_f1", "step_scores", None, "first-error F1"),
                ("accuracy", "best_of_n[min]", most, f"best of {most}"),
                ("accuracy", "weighted[min]", most, f"weighted vote of {most}"),
            )
        )


def _figure(metric: str, strategy: str, budget: int | None, verifier: str) -> StoredFigure:
    return StoredFigure(
        label=f"{metric} of {strategy} by {verifier.rstrip('*-')}",
        part="critics",
        metric=metric,
        strategy=strategy,
        budget=budget,
        verifier=verifier,
        against="checker" if metric == "first_error_f1" else None,
        set_name="dev16",
    )
