"""Whether a policy learns to improve its own attempts over turns (RISE)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import round_figure
from schemas.experiments.relation import Relation, StoredFigure
from schemas.loops import RiseLoopConfig

_PAPER = "RISE, arXiv:2407.18219"
_PUBLISHED = "+8.2 and +6.6 points on GSM8K after five turns"


class RiseExperimentConfig(ExperimentConfig):
    """Five turns of a policy trained on improvements, and of one trained on first attempts."""

    name: ClassVar[str] = "rise"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops-with-critics.md#rise"
    whole_minutes: ClassVar[float | None] = 36
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {
            **QUICK_LOOP,
            "rounds": 1,
            "train_sampling": {"num_samples": 2},
            "improving": {"num_retries": 4},
            "num_chains": 2,
            "turns": 3,
        }
    }

    loop: RiseLoopConfig = RiseLoopConfig()
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        number, turns = f"{self.loop.rounds}", self.loop.turns
        relation = partial(Relation, paper=_PAPER, published=_PUBLISHED)
        return (
            relation(
                name="turns_improve",
                claim="a policy learns to improve its own attempts over turns",
                larger=_turn(f"turn_{turns}", "rise", number),
                smaller=_turn("turn_1", "rise", number),
                point=f"turn {turns} above turn 1",
            ),
            relation(
                name="turns_improve",
                claim="a policy learns to improve its own attempts over turns",
                larger=_turn("turns_majority", "rise", number),
                smaller=_turn("turn_1", "rise", number),
                point="the vote over turns above turn 1",
            ),
            relation(
                name="over_single_turn",
                claim="it ends above a policy that learned from first attempts",
                larger=_turn(f"turn_{turns}", "rise", number),
                smaller=_turn(f"turn_{turns}", "single_turn", number),
                point=f"turn {turns}",
            ),
            relation(
                name="over_single_turn",
                claim="it ends above a policy that learned from first attempts",
                larger=_turn("turns_majority", "rise", number),
                smaller=_turn("turns_majority", "single_turn", number),
                point="the vote over turns",
            ),
        )


def _turn(metric: str, arm: str, number: str) -> StoredFigure:
    return round_figure(metric, arm, number, f"{metric} of {arm}", strategy="turns")
