"""Self-talk against correction of whole solutions, plain imitation, and two players."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.critiques import CheckerCriticConfig, ModelCriticConfig
from schemas.evaluation import EvaluationConfig
from schemas.experiments.critics import PAPER, QUICK_CRITICS, CriticTrainedConfig
from schemas.experiments.experiment import QUICK_LOOP, TRAINED, Subject
from schemas.experiments.loop_figures import pass_at_1, round_figure
from schemas.experiments.relation import Relation, StoredFigure
from schemas.loops.self_correction import SelfCorrectionConfig
from schemas.policy_training import SftConfig
from schemas.sampling import SamplingConfig

_LOOP = SelfCorrectionConfig(
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


class SelfCorrectionExperimentConfig(CriticTrainedConfig):
    """Four ways to correct oneself, from the same solutions."""

    name: ClassVar[str] = "self_correction"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops-with-critics.md#self-talk"
    whole_minutes: ClassVar[float | None] = 22
    other_parts: ClassVar[tuple[str, ...]] = ("critics",)
    quick_fields: ClassVar[Mapping[str, Any]] = {
        **{name: fields for name, fields in QUICK_CRITICS.items() if name != "held_out"},
        "loop": QUICK_LOOP,
        "players": QUICK_LOOP,
    }

    loop: SelfCorrectionConfig = _LOOP
    """The loop, in which the policy is its own critic where two play."""
    players: SelfCorrectionConfig = _LOOP.with_fields(
        arms=("plain", "two_players"), player=ModelCriticConfig(engine=TRAINED)
    )
    """Two players with a trained critic."""

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
            *(
                Relation(
                    name="players_over_talk",
                    claim="two players beat self-talk",
                    paper=PAPER,
                    published="no figure",
                    larger=round_figure(
                        "pass@1", "two_players", "1", f"pass@1 of two players, {words}", part=part
                    ),
                    smaller=talk,
                    point=f"pass@1, {words}",
                )
                for part, words in (("players", "trained critic"), ("loop", "own review"))
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
