"""Self-talk against correction of whole solutions, plain imitation, and two players."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.critiques import CheckerCriticConfig
from schemas.evaluation import EvaluationConfig
from schemas.experiments.critics import PAPER
from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import pass_at_1, round_figure
from schemas.experiments.relation import Relation, StoredFigure
from schemas.loops.self_correction import SelfCorrectionConfig
from schemas.policy_training import SftConfig
from schemas.sampling import SamplingConfig


class SelfCorrectionExperimentConfig(ExperimentConfig):
    """Four ways to correct oneself, from the same solutions."""

    name: ClassVar[str] = "self_correction"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md"
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {**QUICK_LOOP, "evaluation": {"budgets": (1, 4)}}
    }

    loop: SelfCorrectionConfig = SelfCorrectionConfig(
        critic=CheckerCriticConfig(),
        train_sampling=SamplingConfig(
            num_samples=8, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
        ),
        eval_sampling=SamplingConfig(
            num_samples=48, max_tokens=256, with_logprobs=False, trajectories_per_unit=800
        ),
        evaluation=EvaluationConfig(budgets=(1, 4, 12, 16, 48), bins=("level",)),
        training=SftConfig(epochs=3),
    )
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        talk = pass_at_1("self_talk", "1")
        votes = [n for n in self.loop.evaluation.budgets if n in (4, 16)]
        return (
            Relation(
                name="talk_over_correction",
                claim="self-talk step by step beats correction of whole solutions",
                paper=PAPER,
                published="no figure",
                larger=talk,
                smaller=pass_at_1("correction", "1"),
                point="pass@1",
            ),
            *(
                Relation(
                    name="talk_over_correction",
                    claim="self-talk step by step beats correction of whole solutions",
                    paper=PAPER,
                    published="no figure",
                    larger=_vote("self_talk", n),
                    smaller=_vote("correction", n),
                    point=f"majority@{n}",
                )
                for n in votes
            ),
            Relation(
                name="players_over_talk",
                claim="two players beat self-talk",
                paper=PAPER,
                published="no figure",
                larger=round_figure("pass@1", "two_players", "1", "pass@1 of two players"),
                smaller=talk,
                point="pass@1, the policy its own critic",
            ),
            Relation(
                name="talk_over_plain",
                claim="self-talk beats imitation of right solutions",
                paper=PAPER,
                published="no figure",
                larger=talk,
                smaller=pass_at_1("plain", "1"),
                point="pass@1",
            ),
        )


def _vote(arm: str, budget: int) -> StoredFigure:
    return round_figure(f"majority@{budget}", arm, "1", f"majority@{budget} of {arm}")
