"""Whether a policy improves on its own right solutions (ReST)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import Relation, SolvedShare
from schemas.loops import RestLoopConfig

_PAPER = "ReST, arXiv:2308.08998"


class RestExperimentConfig(ExperimentConfig):
    """ReST against the first policy, and against a control of as many rows, right or wrong."""

    name: ClassVar[str] = "rest"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md#rest"
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "rest": {
            "rounds": 1,
            "train_problems": {"num_problems": 200},
            "eval_problems": {"num_problems": 60},
            "train_sampling": {"num_samples": 4},
            "eval_sampling": {"num_samples": 8},
            "evaluation": {"budgets": (1, 4)},
            "training": {"epochs": 2},
        }
    }

    rest: RestLoopConfig = RestLoopConfig()
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """The relations that it measures."""
        one = SolvedShare(part="rest", arm="rest", round="1", label="pass@1 after a round of ReST")
        claim = "ReST improves a policy on its own right solutions"
        return (
            Relation(
                name="rest_improves",
                claim=claim,
                paper=_PAPER,
                published="no figure",
                larger=one,
                smaller=SolvedShare(
                    part="rest", arm="rest", round="0", label="pass@1 of the first policy"
                ),
                point="over the first policy",
            ),
            Relation(
                name="rest_improves",
                claim=claim,
                paper=_PAPER,
                published="no figure",
                larger=one,
                smaller=SolvedShare(
                    part="rest", arm="unfiltered", round="1", label="pass@1 of the control"
                ),
                point="over as many unfiltered rows",
            ),
        )
