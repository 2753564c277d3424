"""Whether the verifier is the bottleneck of self-correction (SCORE)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.engines import SHIPPED_POLICY
from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.relation import Relation, StoredFigure
from schemas.loops.score import ScoreLoopConfig
from schemas.policy_training import SftConfig
from schemas.prm_training import PrmTrainingConfig
from schemas.problems import WorldProblemsConfig

_PAPER = "SCORE, arXiv:2404.17140"


class ScoreExperimentConfig(ExperimentConfig):
    """What a refiner gains by which verifier decides what it refines."""

    name: ClassVar[str] = "score"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md"
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {
            **QUICK_LOOP,
            "eval_problems": {"num_problems": 100},
            "verifier_training": {"epochs": 1},
            "own_critiques": {"num_critiques": 2},
        }
    }

    loop: ScoreLoopConfig = ScoreLoopConfig(
        train_problems=WorldProblemsConfig(split="train", num_problems=900, seed=1),
        eval_problems=WorldProblemsConfig(split="dev", num_problems=400, seed=1),
        training=SftConfig(epochs=3),
        verifier_training=PrmTrainingConfig(
            base_model=SHIPPED_POLICY, data="orm", hidden_lr=1e-3, epochs=3
        ),
    )
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        return (
            *(
                Relation(
                    name="refining_gains",
                    claim="a small model corrects itself if a strong verifier says when",
                    paper=_PAPER,
                    published="large gains by GPT-4 as verifier, little by its own",
                    larger=_figure("after", verifier, f"after refining by {verifier}"),
                    smaller=_figure("before", verifier, "before"),
                    difference=_figure("gain_over", verifier, "paired gain"),
                    point=f"by {verifier}",
                )
                for verifier in ("oracle", "trained", "own")
            ),
            *(
                Relation(
                    name="verifier_is_bottleneck",
                    claim="the verifier is the bottleneck of self-correction",
                    paper=_PAPER,
                    published="no figure",
                    larger=_figure("gain_over", "oracle", "gain by the oracle"),
                    smaller=_figure("gain_over", verifier, f"gain by {verifier}"),
                    point=f"oracle above {verifier}",
                )
                for verifier in ("trained", "own")
            ),
        )


def _figure(metric: str, verifier: str, label: str) -> StoredFigure:
    return StoredFigure(
        label=label, part="loop", metric=metric, strategy="refine_flagged", arm=verifier
    )
