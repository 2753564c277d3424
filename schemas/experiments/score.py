"""Whether the verifier is the bottleneck of self-correction (SCORE)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.critiques import CheckerCriticConfig
from schemas.engines import SHIPPED_POLICY
from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.relation import Relation, StoredFigure
from schemas.loops.score import ScoreLoopConfig
from schemas.policy_training import SftConfig
from schemas.prm_training import PrmTrainingConfig
from schemas.problems import WorldProblemsConfig

_LIMITED = "self-correction is limited by its verifier: oracle above trained above own"
_PAPER = "SCORE, arXiv:2404.17140"
_LOOP = ScoreLoopConfig(
    train_problems=WorldProblemsConfig(split="train", num_problems=900, seed=1),
    eval_problems=WorldProblemsConfig(split="dev", num_problems=400, seed=1),
    training=SftConfig(epochs=3),
    verifier_training=PrmTrainingConfig(
        base_model=SHIPPED_POLICY, data="orm", hidden_lr=1e-3, epochs=3
    ),
)
_QUICK: Mapping[str, Any] = {
    **QUICK_LOOP,
    "eval_problems": {"num_problems": 100},
    "verifier_training": {"epochs": 1},
    "own_critiques": {"num_critiques": 2},
}


class ScoreExperimentConfig(ExperimentConfig):
    """What a refiner gains by which verifier decides what it refines."""

    name: ClassVar[str] = "score"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops-with-critics.md#score"
    whole_minutes: ClassVar[float | None] = 29
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {**_QUICK, "verifiers": ("oracle", "trained", "own")},
        "checked": {**_QUICK, "verifiers": ("oracle", "trained", "own")},
    }

    loop: ScoreLoopConfig = _LOOP
    """The loop as published: the policy writes the hinted critiques that the refiner learns."""
    checked: ScoreLoopConfig = _LOOP.with_fields(critic=CheckerCriticConfig())
    """The loop with critiques by the exact checker, which makes a better refiner."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        parts = (("loop", "own critiques"), ("checked", "exact critiques"))
        return (
            *(
                Relation(
                    name="refining_gains",
                    claim="a small model corrects itself if a strong verifier says when",
                    paper=_PAPER,
                    published="large gains by GPT-4 as verifier, little by its own",
                    larger=_figure("after", part, verifier),
                    smaller=_figure("before", part, verifier),
                    difference=_figure("gain_over", part, verifier),
                    point=f"{words}, by {verifier}",
                )
                for part, words in parts
                for verifier in ("oracle", "trained", "own")
            ),
            *(
                Relation(
                    name="verifier_is_bottleneck",
                    claim=_LIMITED,
                    paper=_PAPER,
                    published="no figure",
                    larger=_figure("gain_over", part, better),
                    smaller=_figure("gain_over", part, worse),
                    point=f"{words}, {better} above {worse}",
                )
                for part, words in parts
                for better, worse in (("oracle", "trained"), ("trained", "own"))
            ),
        )


def _figure(metric: str, part: str, verifier: str) -> StoredFigure:
    return StoredFigure(
        label=f"{metric} by {verifier}",
        part=part,
        metric=metric,
        strategy="refine_flagged",
        arm=verifier,
    )
