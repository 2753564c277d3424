"""A trained critic against the policy's own review, and critiques against trying again without."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.critiques import CheckerCriticConfig, CritiquesJob, RefiningConfig
from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.critique_builders import CritiqueBuilderConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import Relation, StoredFigure
from schemas.policy_training import PolicyTrainingJob, SftConfig
from schemas.problems import WorldProblemsConfig
from schemas.sampling import SamplingConfig, SamplingJob

PAPER = "AutoMathCritique, arXiv:2411.16579"
SET = "built-by-an-earlier-part"
"""Stands for a training set that an earlier part builds."""
QUICK_CRITICS: Mapping[str, Any] = {
    "train": {"problems": {"num_problems": 200}, "sampling": {"num_samples": 4}},
    "held_out": {"problems": {"num_problems": 60}},
    "annotated": {"max_per_problem": 2},
    "training": {"method": {"epochs": 2}},
}
"""Fields of an experiment that trains a critic in the size `quick`."""


class CriticTrainedConfig(ExperimentConfig):
    """Base of the experiments with a trained critic, which is made in the part `critics`."""

    train: SamplingJob = SamplingJob(
        set_name="train",
        problems=WorldProblemsConfig(split="train", num_problems=900, seed=5),
        policy=VLLMConfig(model=SHIPPED_POLICY),
        sampling=SamplingConfig(
            num_samples=8, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
        ),
    )
    """Solutions that the critic learns from."""
    annotated: CritiquesJob = CritiquesJob(
        set_name="train",
        critic=CheckerCriticConfig(),
        max_per_problem=4,
        refining=RefiningConfig(num_refinements=0),
    )
    """What writes the critiques to learn from."""
    built: DatasetExportJob = DatasetExportJob(builder=CritiqueBuilderConfig())
    """The training set made of them."""
    training: PolicyTrainingJob = PolicyTrainingJob(
        policy=VLLMConfig(model=SHIPPED_POLICY),
        training_set=SET,
        model_name="critic",
        role="critic",
        method=SftConfig(epochs=3),
    )
    """How the critic is trained."""


class CriticsConfig(CriticTrainedConfig):
    """Where critics find the first error, and what second attempts with their critiques reach."""

    name: ClassVar[str] = "critics"
    subject: ClassVar[Subject] = "Critics"
    details: ClassVar[str] = "critics.md#a-trained-critic-against-the-policys-own-review"
    whole_minutes: ClassVar[float | None] = 8
    quick_fields: ClassVar[Mapping[str, Any]] = QUICK_CRITICS

    held_out: SamplingJob = SamplingJob(
        problems=WorldProblemsConfig(split="dev", num_problems=200, seed=1),
        policy=VLLMConfig(model=SHIPPED_POLICY),
        sampling=SamplingConfig(num_samples=4, max_tokens=128),
    )
    """Solutions that the critics read."""
    critiqued: CritiquesJob = CritiquesJob(refining=RefiningConfig(num_retries=1, max_tokens=128))
    """How they are read and tried again: by the policy itself, then by the trained critic."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        trained, own = "critic-*", "world-policy*"
        beats = "a critique beats trying again without one"
        return (
            Relation(
                name="trained_over_own",
                claim="a trained critic locates first errors better than the policy's own review",
                paper=PAPER,
                published="no figure",
                larger=_figure("first_error_accuracy", trained, "trained critic"),
                smaller=_figure("first_error_accuracy", own, "own review"),
            ),
            *(
                Relation(
                    name="critique_over_retry",
                    claim=beats,
                    paper=PAPER,
                    published="no figure",
                    larger=_figure("accuracy_after", critic, f"after {words}"),
                    smaller=_figure(
                        "accuracy_after", critic, "after a retry without one", strategy="retry"
                    ),
                    difference=_figure("gain_over", critic, "paired gain", against="retry"),
                    point=words,
                )
                for critic, words in ((trained, "trained critic"), (own, "own review"))
            ),
            *(
                Relation(
                    name="helps_hard_most",
                    claim="critique helps most on hard problems",
                    paper=PAPER,
                    published="no figure",
                    larger=_figure(
                        "gain_over",
                        trained,
                        f"gain over a retry, level {level}",
                        against="retry",
                        bin=f"level={level}",
                    ),
                    smaller=_figure(
                        "gain_over",
                        trained,
                        "gain over a retry, level 1",
                        against="retry",
                        bin="level=1",
                    ),
                    point=f"level {level} above level 1",
                )
                for level in (3, 5)
            ),
        )


def _figure(
    metric: str,
    critic: str,
    label: str,
    *,
    strategy: str = "critique",
    against: str | None = None,
    bin: str = "all",
) -> StoredFigure:
    if metric == "first_error_accuracy":
        against = "checker"
    return StoredFigure(
        label=label,
        part="critics",
        metric=metric,
        strategy=strategy,
        verifier=critic,
        against=against,
        bin=bin,
        set_name="eval",
    )
