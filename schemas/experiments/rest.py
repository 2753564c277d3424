"""Whether a policy improves on its own right solutions, and by rising thresholds (ReST)."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

from schemas.dataset_export.builders import RestConfig
from schemas.experiments.experiment import (
    QUICK_LINE,
    QUICK_LOOP,
    TRAINED,
    ExperimentConfig,
    Subject,
)
from schemas.experiments.loop_figures import pass_at_1
from schemas.experiments.relation import Relation
from schemas.factory import FactoryConfig
from schemas.loops import RestLoopConfig

_PAPER = "ReST, arXiv:2308.08998"
_CLAIM = "ReST improves a policy on its own right solutions"
_RISE = "raising ReST's threshold improves further"


class RestExperimentConfig(ExperimentConfig):
    """ReST against the first policy and a control of as many rows; rising thresholds by a PRM."""

    name: ClassVar[str] = "rest"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md#rest"
    other_parts: ClassVar[tuple[str, ...]] = ("line",)
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {**QUICK_LOOP, "rounds": 1},
        "line": QUICK_LINE,
        "thresholds": {**QUICK_LOOP, "improve_steps": 2},
    }

    loop: RestLoopConfig = RestLoopConfig()
    """The loop that keeps what the grader finds right."""
    line: FactoryConfig = FactoryConfig()
    """The line, which trains the verifier; not run if `thresholds` names another one."""
    thresholds: RestLoopConfig = RestLoopConfig(
        rounds=1,
        builder=RestConfig(by="percentile", thresholds=(0.0, 0.7, 0.9)),
        improve_steps=3,
        verifier=TRAINED,
        with_control=False,
    )
    """The loop that keeps what the verifier scores highest, with a threshold that rises."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        one = pass_at_1("rest", "1")
        steps = [
            pass_at_1("rest", f"1.{step}", part="thresholds")
            for step in range(1, self.thresholds.improve_steps + 1)
        ]
        return (
            Relation(
                name="rest_improves",
                claim=_CLAIM,
                paper=_PAPER,
                published="no figure",
                larger=one,
                smaller=pass_at_1("rest", "0"),
                point="above the first policy",
            ),
            Relation(
                name="rest_improves",
                claim=_CLAIM,
                paper=_PAPER,
                published="no figure",
                larger=one,
                smaller=pass_at_1("unfiltered", "1"),
                point="above as many unfiltered rows",
            ),
            *(
                Relation(
                    name="thresholds_rise",
                    claim=_RISE,
                    paper=_PAPER,
                    published="no figure",
                    larger=above,
                    smaller=below,
                    point=f"rise {number}",
                )
                for number, (below, above) in enumerate(pairwise(steps), 1)
            ),
        )
