"""Sequential revisions against parallel samples, at equal N."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import DecidedAnswers, Relation
from schemas.loops.rise import AGAIN, AGAIN_JOINER
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.strategies import RevisionsConfig

_CLAIM = "sequential revisions beat parallel samples"


class RevisionsExperimentConfig(ExperimentConfig):
    """Chains of attempts, long and few or short and many; the vote over all of them."""

    name: ClassVar[str] = "revisions"
    subject: ClassVar[Subject] = "Search"
    details: ClassVar[str] = "search.md#revisions"
    quick_fields: ClassVar[Mapping[str, Any]] = {"chains": {"problems": {"num_problems": 60}}}

    chains: SearchJob = SearchJob(
        strategies=tuple(
            RevisionsConfig(sequential=length, template=AGAIN, joiner=AGAIN_JOINER)
            for length in (1, 4, 16)
        ),
        budgets=(16,),
        score=ScoreConfig(by="likelihood"),
        limits=SearchLimits(max_tokens=128),
    )
    """The searches; `policy` may be one that learned to revise (builder `revisions`)."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        strategies = [s for s in self.chains.strategies if isinstance(s, RevisionsConfig)]
        shortest = min(strategies, key=lambda each: each.sequential)
        budget = max(self.chains.budgets)
        return tuple(
            Relation(
                name="sequential_over_parallel",
                claim=_CLAIM,
                paper="Snell et al., arXiv:2408.03314",
                published="no figure",
                larger=_answers(each, budget),
                smaller=_answers(shortest, budget),
                point=f"{budget // each.sequential} x {each.sequential} at N = {budget}",
            )
            for each in strategies
            if each is not shortest
        )


def _answers(strategy: RevisionsConfig, budget: int) -> DecidedAnswers:
    chains = budget // strategy.sequential
    return DecidedAnswers(
        label=f"vote over {chains} chains of {strategy.sequential}",
        part="chains",
        strategy=strategy.label(),
        budget=budget,
        pick="majority",
    )
