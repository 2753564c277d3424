"""Test-time search against sampling: the sweep of strategies at three budgets."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LINE, TRAINED, ExperimentConfig, Subject
from schemas.experiments.relation import DecidedAnswers, Relation, StoredFigure
from schemas.factory import FactoryConfig
from schemas.search import SearchJob, SearchLimits
from schemas.search.strategies import SWEEP

_SCALING = "Snell et al., arXiv:2408.03314"
_HF = "Beeching et al., scaling test-time compute"
_REBASE = "REBASE, arXiv:2408.00724"


class SearchExperimentConfig(ExperimentConfig):
    """Beam search, DVTS, REBASE, lookahead and MCTS against best of N, at N = 4, 16 and 64."""

    name: ClassVar[str] = "search"
    subject: ClassVar[Subject] = "Search"
    details: ClassVar[str] = "search.md#which-published-relations-hold"
    whole_minutes: ClassVar[float | None] = 20
    other_parts: ClassVar[tuple[str, ...]] = ("line",)
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "line": QUICK_LINE,
        "sweep": {"problems": {"num_problems": 60}, "budgets": (4, 16)},
    }

    line: FactoryConfig = FactoryConfig()
    """The line, which trains the verifier; not run if `sweep` names another one."""
    sweep: SearchJob = SearchJob(
        verifier=TRAINED,
        strategies=SWEEP,
        budgets=(4, 16, 64),
        limits=SearchLimits(max_tokens=128, max_step_tokens=64),
    )
    """The searches."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        return (
            Relation(
                name="beam_is_four_times_cheaper",
                claim="beam at N = 4 reaches best of N at 16",
                paper=_HF,
                published="equal on MATH-500",
                larger=_answers("beam", 4),
                smaller=_answers("best_of_n", 16),
                margin=-0.02,
            ),
            *(
                Relation(
                    name="dvts_over_beam",
                    claim="DVTS beats beam at large N",
                    paper=_HF,
                    published="no figure",
                    larger=_answers("dvts", n),
                    smaller=_answers("beam", n),
                    point=f"N = {n}",
                )
                for n in (16, 64)
            ),
            *(
                Relation(
                    name="rebase_over_sampling",
                    claim="REBASE beats sampling",
                    paper=_REBASE,
                    published="about half of the compute for the same accuracy",
                    larger=_answers("rebase", n),
                    smaller=_answers("best_of_n", n),
                    point=f"N = {n}",
                )
                for n in (4, 16, 64)
            ),
            *(
                Relation(
                    name="lookahead_is_worst",
                    claim="lookahead is worst at equal tokens",
                    paper=_SCALING,
                    published="no figure",
                    larger=_at_equal_tokens(other, n),
                    smaller=_at_equal_tokens("lookahead", n),
                    point=f"below {other}, N = {n}",
                )
                for other, n in (("beam", 4), ("dvts", 4), ("rebase", 4), ("mcts", 4), ("dvts", 16))
            ),
            _hardest("DVTS beats best of N there", 16),
            Relation(
                name="hard_problems",
                claim="search helps most on hard problems",
                paper=_SCALING,
                published="no figure",
                larger=_gain("dvts", 16, "oracle_quintile=5"),
                smaller=_gain("dvts", 16, "oracle_quintile=1"),
                point="more than on the easiest",
            ),
            Relation(
                name="beam_gets_worse",
                claim="beam falls below best of N at large N",
                paper=_SCALING,
                published="no figure",
                larger=_answers("best_of_n", 64),
                smaller=_answers("beam", 64),
            ),
            *self._compute_optimal(),
        )

    def _compute_optimal(self) -> tuple[Relation, ...]:
        claim = "compute-optimal selection needs fewer tokens for the accuracy of best of N at 64"
        chosen = {"strategy": "compute_optimal", "pick": "oracle_quintile,tokens", "budget": 64}
        reference = {"strategy": "best_of_n", "budget": 64}
        relation = partial(
            Relation,
            name="compute_optimal",
            claim=claim,
            paper=_SCALING,
            published="up to 4 times fewer",
        )
        return (
            relation(
                point="as accurate",
                larger=_figure("accuracy", "chosen searches", **chosen),
                smaller=_figure("accuracy", "best of 64", **reference),
                difference=_figure("gain_over", "paired gain", against="best_of_n", **chosen),
                margin=-0.02,
            ),
            relation(
                point="4 times fewer before difficulty is estimated",
                larger=_figure("generated_tokens", "best of 64", times=0.25, **reference),
                smaller=_figure("generated_tokens", "chosen searches", **chosen),
            ),
            relation(
                point="fewer after it",
                larger=_figure("tokens", "best of 64", **reference),
                smaller=_figure("tokens", "chosen searches", **chosen),
            ),
        )


def _figure(metric: str, label: str, **fields: Any) -> StoredFigure:
    return StoredFigure(
        label=f"{metric} of {label}", part="sweep", metric=metric, set_name="eval", **fields
    )


def _answers(strategy: str, budget: int) -> DecidedAnswers:
    label = f"{strategy} at N = {budget}"
    return DecidedAnswers(label=label, part="sweep", strategy=strategy, budget=budget)


def _at_equal_tokens(strategy: str, budget: int) -> StoredFigure:
    return _figure(
        "gain_at_equal_tokens",
        f"{strategy} at N = {budget}",
        strategy=strategy,
        budget=budget,
        against="best_of_n",
    )


def _gain(strategy: str, budget: int, bin_name: str) -> StoredFigure:
    label = f"{strategy} at N = {budget}, {bin_name}"
    return _figure(
        "gain_over", label, strategy=strategy, budget=budget, against="best_of_n", bin=bin_name
    )


def _hardest(point: str, budget: int) -> Relation:
    where = "oracle_quintile=5"
    return Relation(
        name="hard_problems",
        claim="search helps most on hard problems",
        paper=_SCALING,
        published="no figure",
        larger=_figure("accuracy", "DVTS, hardest", strategy="dvts", budget=budget, bin=where),
        smaller=_figure(
            "accuracy", "best of N, hardest", strategy="best_of_n", budget=budget, bin=where
        ),
        point=point,
        difference=_gain("dvts", budget, where),
    )
