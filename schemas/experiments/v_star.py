"""A verifier from right and wrong solutions by preferences, against a PRM (V-StaR)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LINE, QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.relation import Relation, StoredFigure
from schemas.factory import FactoryConfig
from schemas.loops import VStarLoopConfig

_PAPER = "V-StaR, arXiv:2402.06457"


class VStarExperimentConfig(ExperimentConfig):
    """V-StaR's verifier, a PRM and the policy's own likelihood on the last policy's solutions."""

    name: ClassVar[str] = "v_star"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md#preferences-and-v-star-against-imitation"
    other_parts: ClassVar[tuple[str, ...]] = ("line",)
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "line": QUICK_LINE,
        "loop": {
            **QUICK_LOOP,
            "rounds": 1,
            "eval_sampling": {"num_samples": 16},
            "evaluation": {"budgets": (1, 4, 16)},
        },
    }

    line: FactoryConfig = FactoryConfig()
    """The line, which trains the PRM."""
    loop: VStarLoopConfig = VStarLoopConfig(rounds=2)
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        budgets = [budget for budget in self.loop.evaluation.budgets if budget > 1]
        return (
            *(
                Relation(
                    name="over_a_prm",
                    claim="V-StaR's verifier beats a PRM",
                    paper=_PAPER,
                    published="4 to 17% above verification baselines",
                    larger=self._ranked("best_of_n[prod]", budget, "v_star-verifier*"),
                    smaller=self._ranked("best_of_n[min]", budget, "verifier-*"),
                    point=f"N = {budget}",
                )
                for budget in budgets
            ),
            *(
                Relation(
                    name="over_likelihood",
                    claim="V-StaR's verifier beats the likelihood under the policy before DPO",
                    paper=_PAPER,
                    published="no figure",
                    larger=self._ranked("best_of_n[prod]", budget, "v_star-verifier*"),
                    smaller=self._ranked("likelihood[sum]", budget, None),
                    point=f"N = {budget}",
                )
                for budget in budgets
            ),
        )

    def _ranked(self, strategy: str, budget: int, verifier: str | None) -> StoredFigure:
        """Of the last policy's solutions; without a verifier by the policy's own likelihood."""
        by = "the policy" if verifier is None else verifier.rstrip("*-")
        return StoredFigure(
            label=f"{strategy} by {by} at N = {budget}",
            part="loop",
            metric="accuracy",
            strategy=strategy,
            budget=budget,
            verifier=verifier,
            policy=f"v_star-r{self.loop.rounds}-*",
            stage="evaluation",
            set_name="eval",
        )
