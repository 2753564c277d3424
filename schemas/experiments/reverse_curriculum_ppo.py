"""The reverse curriculum with PPO, as published, at equal generated tokens (R3)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import HARD, pass_at_1
from schemas.experiments.relation import Relation
from schemas.loops import ReverseCurriculumLoopConfig
from schemas.policy_training import PpoConfig

_PAPER = "R3, arXiv:2402.05808"
_QUICK = {"max_generated_tokens": 20_000, "minibatches": 1, "warmup_steps": 4}


class ReverseCurriculumPpoConfig(ExperimentConfig):
    """Start states of all stages, stage after stage, and whole problems alone, with PPO."""

    name: ClassVar[str] = "reverse_curriculum_ppo"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md#reverse-curriculum"
    quick_minutes: ClassVar[float | None] = 5.0
    quick_fields: ClassVar[Mapping[str, Any]] = {"loop": {**QUICK_LOOP, "training": _QUICK}}

    loop: ReverseCurriculumLoopConfig = ReverseCurriculumLoopConfig(
        training=PpoConfig(
            max_new_tokens=128, max_generated_tokens=240_000, decay_fraction=0, max_steps=4000
        )
    )
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        over_plain = partial(
            Relation,
            name="curriculum_over_outcome_ppo",
            claim="with PPO a reverse curriculum beats the outcome reward",
            paper=_PAPER,
            published="+4.1 on average over eight tasks",
        )
        return (
            over_plain(larger=pass_at_1("mixed"), smaller=pass_at_1("plain"), point="all levels"),
            over_plain(
                larger=pass_at_1("mixed", levels=HARD),
                smaller=pass_at_1("plain", levels=HARD),
                point="levels 4 and 5",
            ),
            Relation(
                name="mixed_over_staged_ppo",
                claim="with PPO all stages at once beat one stage after another",
                paper=_PAPER,
                published="no figure",
                larger=pass_at_1("mixed"),
                smaller=pass_at_1("staged"),
            ),
        )
