"""Critique in the loop against self-improvement without, and with as many rows."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.experiments.critics import PAPER
from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import HARD, pass_at_1, round_figure
from schemas.experiments.relation import Combined, Relation
from schemas.loops.critique_in_the_loop import CriticTrainingConfig, CritiqueInTheLoopConfig

_CLAIM = "a critic in the loop beats self-improvement without, and a control of as many rows"


class CritiqueInTheLoopExperimentConfig(ExperimentConfig):
    """Three arms that train the first policy, round after round, with a critic trained before."""

    name: ClassVar[str] = "critique_in_the_loop"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops-with-critics.md#critique-in-the-loop"
    whole_minutes: ClassVar[float | None] = 125
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {
            **QUICK_LOOP,
            "rounds": 1,
            "critic_training": {"per_problem": 2, "training": {"epochs": 2}},
            "refining": {"num_refinements": 2},
            "tested_per_problem": 0,
        }
    }

    loop: CritiqueInTheLoopConfig = CritiqueInTheLoopConfig(
        critic_training=CriticTrainingConfig(), rounds=3
    )
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        others = (("vanilla", "without a critic"), ("control", "as many rows"))
        return (
            *(
                Relation(
                    name="critic_in_the_loop",
                    claim=_CLAIM,
                    paper=PAPER,
                    published="no figure",
                    larger=pass_at_1("critique", f"{number}"),
                    smaller=pass_at_1(other, f"{number}"),
                    point=f"above {words}, round {number}",
                )
                for number in range(1, self.loop.rounds + 1)
                for other, words in others
            ),
            Relation(
                name="vanilla_saturates",
                claim="self-improvement without a critic saturates below that with one",
                paper=PAPER,
                published="no figure",
                larger=pass_at_1("critique", f"{self.loop.rounds}"),
                smaller=pass_at_1("vanilla", f"{self.loop.rounds}"),
                point=_after(self.loop.rounds),
            ),
            *(
                Relation(
                    name="critic_adds_less",
                    claim="after training in the loop the critic adds less at test time",
                    paper=PAPER,
                    published="no figure",
                    larger=_gain("0"),
                    smaller=_gain(f"{number}"),
                    point=_after(number),
                )
                for number in range(1, self.loop.rounds + 1)
            ),
            Relation(
                name="critic_helps_hard",
                claim="a critic in the loop helps on hard problems",
                paper=PAPER,
                published="no figure",
                larger=pass_at_1("critique", "1", levels=HARD),
                smaller=pass_at_1("vanilla", "1", levels=HARD),
                point="levels 4 and 5, round 1",
            ),
        )


def _after(rounds: int) -> str:
    return f"after {rounds} round{'s' if rounds > 1 else ''}"


def _gain(number: str) -> Combined:
    """What the critic adds at test time to the arm's policy of a round."""
    after, before = (
        round_figure(metric, "critique", number, metric, strategy="critique")
        for metric in ("refined", "unrefined")
    )
    label = f"gain by the critic at test time, round {number}"
    return Combined(label=label, terms=((1, after), (-1, before)))
