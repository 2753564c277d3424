"""Whether a policy improves by its own judgement, and whether the judge improves with it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import pass_at_1, round_figure
from schemas.experiments.relation import Relation, StoredFigure
from schemas.loops.self_rewarding import SelfRewardingLoopConfig

_PAPER = "Self-Rewarding, arXiv:2401.10020"


class SelfRewardingExperimentConfig(ExperimentConfig):
    """A judge that is trained first, then rounds of DPO on pairs by its own scores."""

    name: ClassVar[str] = "self_rewarding"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops-with-critics.md#self-rewarding"
    whole_minutes: ClassVar[float | None] = 29
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {
            **QUICK_LOOP,
            "rounds": 2,
            "judge_training": {"epochs": 2},
            "judging": {"num_critiques": 2},
        }
    }

    loop: SelfRewardingLoopConfig = SelfRewardingLoopConfig(rounds=3, max_auc_drop=None)
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        rounds = range(2, self.loop.rounds + 1)
        return (
            *(
                Relation(
                    name="own_rewards_improve",
                    claim="a policy improves by its own judgement, round after round",
                    paper=_PAPER,
                    published="win rates 9.94, 15.38, 20.44 of rounds 1, 2, 3",
                    larger=pass_at_1("self_rewarding", f"{number}"),
                    smaller=pass_at_1("self_rewarding", f"{number - 1}"),
                    point=f"round {number} above {number - 1}",
                )
                for number in rounds
            ),
            Relation(
                name="own_above_graded",
                claim="pairs by its own judgement are as good as pairs by grade",
                paper=_PAPER,
                published="no figure",
                larger=pass_at_1("self_rewarding", f"{self.loop.rounds}"),
                smaller=pass_at_1("graded", f"{self.loop.rounds}"),
                point=f"at most .02 below, round {self.loop.rounds}",
                margin=-0.02,
            ),
            *(
                Relation(
                    name="judge_improves",
                    claim="the judge improves along with the policy",
                    paper=_PAPER,
                    published="no figure",
                    larger=_auc(number),
                    smaller=_auc(number - 1),
                    point=f"round {number} above {number - 1}",
                )
                for number in rounds
            ),
        )


def _auc(number: int) -> StoredFigure:
    label = f"AUC of the judge, round {number}"
    return round_figure("judge_auc", "self_rewarding", f"{number}", label)
