"""What cheaper step labels cost, and how far they agree with the truth (OmegaPRM)."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from schemas.base import FrozenConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import Relation, StoredFigure, TokensSpent
from schemas.problems import WorldProblemsConfig
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.step_labels import MonteCarloConfig, StepLabelsJob, TreeConfig

_PAPER = "OmegaPRM, arXiv:2406.06592"
_PLAIN = MonteCarloConfig(max_rollout_tokens=128)


class LabelsConfig(ExperimentConfig):
    """The same solutions labelled by 8 rollouts everywhere, by bisection, and by trees."""

    name: ClassVar[str] = "labels"
    subject: ClassVar[Subject] = "Verifiers"
    details: ClassVar[str] = "labels.md"
    quick_fields: ClassVar[Mapping[str, Any]] = {"problems": {"num_problems": 60}}

    problems: WorldProblemsConfig = WorldProblemsConfig(split="train", num_problems=900, seed=7)
    """Problems whose solutions are labelled, one solution each."""
    sampling: SamplingConfig = SamplingConfig(
        num_samples=1, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
    )
    """How the solutions are drawn."""
    plain: MonteCarloConfig = _PLAIN
    """Rollouts from every prefix."""
    bisection: MonteCarloConfig = _PLAIN.with_fields(search="bisection")
    """Rollouts only where bisection looks for the first error."""
    tree: MonteCarloConfig = _PLAIN.with_fields(search="omega", tree=TreeConfig(max_searches=16))
    """Labels of the solutions and of their rollouts, by searches in a tree."""
    max_loss: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Agreement with the truth that cheaper labels may lose."""

    def planned(self) -> list[tuple[str, FrozenConfig]]:
        """See ExperimentConfig."""
        policy = VLLMConfig(model=SHIPPED_POLICY)
        job = SamplingJob(
            set_name="train", problems=self.problems, policy=policy, sampling=self.sampling
        )
        return [
            each
            for part, labels in self.labelled().items()
            for each in ((part, job), (part, StepLabelsJob(policy=policy, labels=labels)))
        ]

    def labelled(self) -> dict[str, MonteCarloConfig]:
        """How the solutions are labelled in each part."""
        return {"plain": self.plain, "bisection": self.bisection, "tree": self.tree}

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        plain, bisection = (
            TokensSpent(label=f"tokens of labels, {name}", part=name, stage="step_labels")
            for name in ("plain", "bisection")
        )
        half = TokensSpent(
            label="half of the tokens of plain labels", part="plain", stage="step_labels", times=0.5
        )
        per_label = {
            name: TokensSpent(
                label=f"tokens of a label, {name}", part=name, stage="step_labels", per_label=True
            )
            for name in ("plain", "bisection", "tree")
        }
        cheaper = "OmegaPRM's trees make labels cheaper"
        return (
            Relation(
                name="bisection_is_cheaper",
                claim="bisection saves most of the cost of labels",
                paper=_PAPER,
                published="k log M rollouts instead of k M",
                larger=plain,
                smaller=bisection,
                point="cheaper",
            ),
            Relation(
                name="bisection_is_cheaper",
                claim="bisection saves most of the cost of labels",
                paper=_PAPER,
                published="k log M rollouts instead of k M",
                larger=half,
                smaller=bisection,
                point="by half",
            ),
            Relation(
                name="bisection_agrees",
                claim="labels by bisection agree with the truth as plain ones do",
                paper=_PAPER,
                published="no figure",
                larger=_agreement("bisection", self.bisection),
                smaller=_agreement("plain", self.plain),
                margin=-self.max_loss,
            ),
            *(
                Relation(
                    name="trees_are_cheaper",
                    claim=cheaper,
                    paper=_PAPER,
                    published="no figure at equal labels",
                    larger=per_label[name],
                    smaller=per_label["tree"],
                    point=f"than {name} labels",
                    details="labels.md#omegaprm",
                )
                for name in ("plain", "bisection")
            ),
        )


def _agreement(part: str, labels: MonteCarloConfig) -> StoredFigure:
    return StoredFigure(
        label=f"agreement of {part} labels with the exact checker",
        part=part,
        metric="label_agreement",
        strategy=labels.method,
        set_name="train",
    )
