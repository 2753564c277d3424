"""A reverse curriculum against the outcome reward alone, at equal generated tokens (R3)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import HARD, pass_at_1
from schemas.experiments.relation import Relation
from schemas.loops import ReverseCurriculumLoopConfig

_PAPER = "R3, arXiv:2402.05808"
_CLAIM = "a reverse curriculum beats the outcome reward"


class ReverseCurriculumExperimentConfig(ExperimentConfig):
    """Start states of all stages at once, stage after stage, and whole problems alone."""

    name: ClassVar[str] = "reverse_curriculum"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md#reverse-curriculum"
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {**QUICK_LOOP, "training": {"max_generated_tokens": 20_000}}
    }

    loop: ReverseCurriculumLoopConfig = ReverseCurriculumLoopConfig()
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        relation = partial(
            Relation,
            name="curriculum_over_outcome",
            claim=_CLAIM,
            paper=_PAPER,
            published="+4.1 on average over eight tasks",
        )
        return (
            relation(
                larger=pass_at_1("mixed"),
                smaller=pass_at_1("plain"),
                point="all levels",
            ),
            relation(
                larger=pass_at_1("mixed", levels=HARD),
                smaller=pass_at_1("plain", levels=HARD),
                point="levels 4 and 5",
            ),
            Relation(
                name="mixed_over_staged",
                claim="all stages at once beat one stage after another",
                paper=_PAPER,
                published="no figure",
                larger=pass_at_1("mixed"),
                smaller=pass_at_1("staged"),
            ),
        )
