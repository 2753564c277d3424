"""Critique at test time against a plain vote at equal tokens, and sequential against parallel."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from schemas.base import FrozenConfig
from schemas.experiments.critics import PAPER, QUICK_CRITICS, CriticTrainedConfig
from schemas.experiments.experiment import Subject
from schemas.experiments.relation import Relation, StoredFigure
from schemas.problems import WorldProblemsConfig
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.critique import CritiqueConfig
from schemas.search.strategies import MajorityConfig

_job = partial(
    SearchJob,
    problems=WorldProblemsConfig(split="dev", num_problems=200, seed=1),
    limits=SearchLimits(max_tokens=128),
    score=ScoreConfig(by="likelihood"),
)
_CRITICS = (("trained", "trained critic"), ("own", "own review"))


class CritiqueSearchConfig(CriticTrainedConfig):
    """Votes over second attempts with critiques, by a trained critic and by the policy itself."""

    name: ClassVar[str] = "critique_search"
    subject: ClassVar[Subject] = "Critics"
    details: ClassVar[str] = "critics.md#critique-at-test-time-against-a-plain-vote-at-equal-tokens"
    whole_minutes: ClassVar[float | None] = 28
    other_parts: ClassVar[tuple[str, ...]] = ("critics",)
    quick_fields: ClassVar[Mapping[str, Any]] = {
        **{name: fields for name, fields in QUICK_CRITICS.items() if name != "held_out"},
        "plain": {"problems": {"num_problems": 50}, "budgets": (48,)},
        "critiqued": {"problems": {"num_problems": 50}},
        "chains": {"problems": {"num_problems": 50}},
    }

    plain: SearchJob = _job(strategies=(MajorityConfig(),), budgets=(64,))
    """Independent solutions, whose votes are what is compared with."""
    critiqued: SearchJob = _job(strategies=(CritiqueConfig(),), budgets=(4, 16))
    """One round of critique in parallel chains."""
    chains: SearchJob = _job(
        strategies=tuple(CritiqueConfig(rounds=rounds) for rounds in (4, 16)), budgets=(16,)
    )
    """Longer chains at the same number of second attempts."""

    def planned(self) -> list[tuple[str, FrozenConfig]]:
        """See ExperimentConfig."""
        trained = (self.train, self.annotated, self.built, self.training)
        searches = (self.plain, self.critiqued, self.chains)
        return [
            *(("critics", job) for job in trained),
            *((part, job) for part, _ in _CRITICS for job in searches),
        ]

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        budgets = self.critiqued.budgets
        return (
            *(
                Relation(
                    name="critique_over_votes",
                    claim="MV@K with a critic beats MV@3K at equal tokens",
                    paper=PAPER,
                    published="no figure",
                    larger=_vote(part, "critique", budget),
                    smaller=_plain("plain_vote", part, budget),
                    difference=StoredFigure(
                        label="paired gain",
                        part=part,
                        metric="gain_over_plain",
                        strategy="critique",
                        budget=budget,
                    ),
                    point=f"{words}, K = {budget}",
                )
                for part, words in _CRITICS
                for budget in budgets
            ),
            *(
                Relation(
                    name="fewer_ideas",
                    claim="pass@k of refined solutions lies below that of fresh ones",
                    paper=PAPER,
                    published="no figure",
                    larger=StoredFigure(
                        label=f"any right of {3 * budget} fresh solutions",
                        part="trained",
                        metric="plain_any_right",
                        strategy="critique",
                        budget=budget,
                        arm="3N",
                    ),
                    smaller=StoredFigure(
                        label=f"any right of {budget} refined solutions",
                        part="trained",
                        metric="any_right",
                        strategy="critique",
                        budget=budget,
                        pick="refined",
                    ),
                    point=f"K = {budget}",
                )
                for budget in budgets
            ),
            *(
                Relation(
                    name="sequential_over_parallel",
                    claim="a vote over sequential rounds overtakes parallel ones",
                    paper=PAPER,
                    published="no figure",
                    larger=_vote(part, strategy.label(), 16),
                    smaller=_vote(part, "critique", 16),
                    point=f"{words}, {16 // strategy.rounds} x {strategy.rounds}",
                )
                for part, words in _CRITICS
                for strategy in self._chains()
            ),
            Relation(
                name="last_below_vote",
                claim="the last attempt of long chains is below the vote",
                paper=PAPER,
                published="no figure",
                larger=_vote("trained", self._chains()[-1].label(), 16),
                smaller=_last("trained", self._chains()[-1].label(), 16),
                point=f"chains of {self._chains()[-1].rounds}",
            ),
        )

    def _chains(self) -> list[CritiqueConfig]:
        return [each for each in self.chains.strategies if isinstance(each, CritiqueConfig)]


def _vote(part: str, strategy: str, budget: int) -> StoredFigure:
    return StoredFigure(
        label=f"{strategy} at N = {budget}, vote",
        part=part,
        metric="accuracy",
        strategy=strategy,
        budget=budget,
    )


def _last(part: str, strategy: str, budget: int) -> StoredFigure:
    return StoredFigure(
        label=f"{strategy} at N = {budget}, last attempts",
        part=part,
        metric="accuracy",
        strategy=strategy,
        budget=budget,
        pick="last_attempts",
    )


def _plain(metric: str, part: str, budget: int) -> StoredFigure:
    return StoredFigure(
        label="plain vote for the same tokens",
        part=part,
        metric=metric,
        strategy="critique",
        budget=budget,
        arm="tokens",
    )
