"""Which reduction of step scores suits hard and which suits soft Monte Carlo labels."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.base import FrozenConfig
from schemas.experiments.experiment import (
    QUICK_LINE,
    TRAINED,
    ExperimentConfig,
    Subject,
)
from schemas.experiments.relation import DecidedAnswers, Relation
from schemas.factory import FactoryConfig
from schemas.prm_training import PrmTrainingConfig
from schemas.problems import WorldProblemsConfig
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.strategies import BeamConfig, DvtsConfig
from schemas.step_labels import MonteCarloConfig

_SEARCHES = (("beam", 4), ("beam", 16), ("dvts", 16))


class ReductionsConfig(ExperimentConfig):
    """Searches ranked by the lowest step score or by the last, with hard and with soft labels."""

    name: ClassVar[str] = "reductions"
    subject: ClassVar[Subject] = "Verifiers"
    details: ClassVar[str] = "reductions.md#searches"
    other_parts: ClassVar[tuple[str, ...]] = ("hard", "soft")
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "hard": QUICK_LINE,
        "soft": {**QUICK_LINE, "train_problems": {"num_problems": 300}},
        "search": {"problems": {"num_problems": 60}},
    }

    hard: FactoryConfig = FactoryConfig()
    """The line with hard labels."""
    soft: FactoryConfig = FactoryConfig(
        train_problems=WorldProblemsConfig(split="train", num_problems=2000, seed=7),
        labels=MonteCarloConfig(search="linear", max_rollout_tokens=128),
        prm_training=PrmTrainingConfig(
            base_model=FactoryConfig().prm_training.base_model,
            hidden_lr=1e-3,
            max_steps=2000,
            targets="soft",
        ),
    )
    """The line with soft labels."""
    search: SearchJob = SearchJob(
        verifier=TRAINED,
        strategies=(BeamConfig(), DvtsConfig()),
        budgets=(4, 16),
        score=ScoreConfig(reduction="min"),
        limits=SearchLimits(max_tokens=128, max_step_tokens=64),
    )
    """The searches; the reduction is decided by the part."""

    def planned(self) -> list[tuple[str, FrozenConfig]]:
        """See ExperimentConfig."""
        searches = [f"{labels}_{how}" for labels in ("hard", "soft") for how in ("min", "last")]
        lines: list[tuple[str, FrozenConfig]] = [("hard", self.hard), ("soft", self.soft)]
        return [*lines, *((part, self.search) for part in searches)]

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        return (
            *(
                Relation(
                    name="hard_suit_min",
                    claim="hard Monte Carlo labels suit `min`",
                    paper="Math-Shepherd, arXiv:2312.08935",
                    published="no figure",
                    larger=_searched("hard", "min", strategy, budget),
                    smaller=_searched("hard", "last", strategy, budget),
                    point=f"{strategy}, N = {budget}",
                )
                for strategy, budget in _SEARCHES
            ),
            *(
                Relation(
                    name="soft_suit_last",
                    claim="soft Monte Carlo labels suit `last`",
                    paper="Snell et al., arXiv:2408.03314",
                    published="no figure",
                    larger=_searched("soft", "last", strategy, budget),
                    smaller=_searched("soft", "min", strategy, budget),
                    point=f"{strategy}, N = {budget}",
                )
                for strategy, budget in _SEARCHES
            ),
        )


def _searched(labels: str, reduction: str, strategy: str, budget: int) -> DecidedAnswers:
    return DecidedAnswers(
        label=f"{strategy} at N = {budget}, {labels} labels, {reduction}",
        part=f"{labels}_{reduction}",
        strategy=f"{strategy}*",
        budget=budget,
    )
