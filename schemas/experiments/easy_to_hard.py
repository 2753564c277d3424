"""Whether training on easy problems carries over to hard ones."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import HARD, pass_at_1
from schemas.experiments.relation import Combined, Relation
from schemas.loops import RestEmLoopConfig
from schemas.problems import WorldProblemsConfig

_EASY = "Hase et al., arXiv:2401.06751"


class EasyToHardConfig(ExperimentConfig):
    """One round of ReST-EM on levels 1 to 3, on all levels, and on 4 and 5, tested on 4 and 5."""

    name: ClassVar[str] = "easy_to_hard"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md#easy-to-hard"
    quick_fields: ClassVar[Mapping[str, Any]] = {
        part: QUICK_LOOP for part in ("easy", "full", "hard")
    }

    easy: RestEmLoopConfig = RestEmLoopConfig(
        rounds=1,
        with_control=False,
        train_problems=WorldProblemsConfig(
            split="train", num_problems=900, seed=1, levels=(1, 2, 3)
        ),
    )
    """Trained on easy problems."""
    full: RestEmLoopConfig = RestEmLoopConfig(rounds=1, with_control=False)
    """Trained on problems of all levels."""
    hard: RestEmLoopConfig = RestEmLoopConfig(
        rounds=1,
        with_control=False,
        train_problems=WorldProblemsConfig(split="train", num_problems=900, seed=1, levels=HARD),
    )
    """Trained on hard problems."""
    recovered: Annotated[float, Field(ge=0, le=1)] = 0.7
    """The share of the gain that is claimed to be recovered."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        first = pass_at_1("rest_em", "0", part="easy", levels=HARD)
        easy, full, hard = (
            pass_at_1("rest_em", "1", part=part, levels=HARD, label=f"{part} training, hard levels")
            for part in ("easy", "full", "hard")
        )
        share = self.recovered
        return (
            Relation(
                name="easy_helps_hard",
                claim="training on easy problems carries over to hard ones",
                paper=_EASY,
                published=".70 to 1.00 of the gain",
                larger=easy,
                smaller=first,
                point="above the first policy",
            ),
            *(
                Relation(
                    name="easy_helps_hard",
                    claim="training on easy problems carries over to hard ones",
                    paper=_EASY,
                    published=".70 to 1.00 of the gain",
                    larger=easy,
                    smaller=Combined(
                        label=f"{share:g} of the gain of {words}",
                        terms=((1 - share, first), (share, other)),
                    ),
                    point=f"{share:g} of the gain of {words}",
                )
                for other, words in ((full, "all levels"), (hard, "hard levels"))
            ),
        )
