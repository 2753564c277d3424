"""Votes that stop early, and votes of the most confident solutions."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import Constant, DecidedAnswers, Relation, StoredFigure
from schemas.problems import WorldProblemsConfig
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.strategies import (
    AdaptiveConsistencyConfig,
    ConfidenceVoteConfig,
    MajorityConfig,
)

_ADAPTIVE = "adaptive consistency, arXiv:2305.11860"
_DEEPCONF = "DeepConf, arXiv:2508.15260"
_OFFLINE = ConfidenceVoteConfig(window=8, keep=0.1)
_ONLINE = ConfidenceVoteConfig(mode="online", window=8, chunk_tokens=4, keep=0.5)


class VotesConfig(ExperimentConfig):
    """Adaptive consistency and votes by confidence against a plain vote of N."""

    name: ClassVar[str] = "votes"
    subject: ClassVar[Subject] = "Search"
    details: ClassVar[str] = "search.md#votes-that-stop-early-and-particle-filtering"
    whole_minutes: ClassVar[float | None] = 6
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "votes": {"problems": {"num_problems": 40}, "budgets": (16,)}
    }

    votes: SearchJob = SearchJob(
        problems=WorldProblemsConfig(split="dev", num_problems=200, seed=1),
        strategies=(MajorityConfig(), AdaptiveConsistencyConfig(), _OFFLINE, _ONLINE),
        budgets=(16, 64),
        score=ScoreConfig(by="likelihood"),
        limits=SearchLimits(max_tokens=128),
    )
    """The votes; no strategy here reads the score."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        budget = max(self.votes.budgets)
        adaptive = AdaptiveConsistencyConfig().label()
        saved = StoredFigure(
            label="share of the solutions that were not drawn",
            part="votes",
            metric="saved_rate",
            strategy=adaptive,
            budget=budget,
        )
        return (
            Relation(
                name="saves_samples",
                claim="adaptive consistency saves most samples at equal accuracy",
                paper=_ADAPTIVE,
                published="69% of the samples",
                larger=saved,
                smaller=Constant(label="half", value=0.5),
                point=f"more than half, N = {budget}",
            ),
            Relation(
                name="saves_samples",
                claim="adaptive consistency saves most samples at equal accuracy",
                paper=_ADAPTIVE,
                published="69% of the samples",
                larger=_answers(adaptive, budget),
                smaller=_answers("majority", budget),
                point="at most .02 below the vote",
                margin=-0.02,
            ),
            *(
                Relation(
                    name="confidence_filters",
                    claim="a vote filtered by confidence beats majority",
                    paper=_DEEPCONF,
                    published="no figure",
                    larger=_answers(strategy.label(), budget),
                    smaller=_answers("majority", budget),
                    point=f"{point}, N = {budget}",
                )
                for strategy, point in (
                    (_OFFLINE, "offline, a tenth kept"),
                    (_ONLINE, "online, half kept"),
                )
            ),
        )


def _answers(strategy: str, budget: int) -> DecidedAnswers:
    label = f"{strategy} at N = {budget}"
    return DecidedAnswers(label=label, part="votes", strategy=strategy, budget=budget)
