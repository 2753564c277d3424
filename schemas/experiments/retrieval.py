"""Search over retrieved documents: a tree of thoughts against retrieval once and simpler search."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.critique_formats import LinesCritiqueConfig
from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import AnswersForTokens, DecidedAnswers, Figure, Relation
from schemas.problems import WorldProblemsConfig
from schemas.retrieval import DIARIES, RetrievalConfig
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.ratp import RatpConfig
from schemas.search.strategies import BeamConfig, FilterVoteConfig, MajorityConfig, Strategy

_RATP = "RATP, arXiv:2402.07812"
_CALLS = 12
_QUERY = ("question", "documents")
_LIKELY = RatpConfig(scorer="likelihood", query=_QUERY)
_SELF = RatpConfig(scorer="self", query=_QUERY)
_ORACLE = RatpConfig(scorer="oracle", query=_QUERY)
_FLAT = RatpConfig(scorer="likelihood", query=_QUERY, select="flat")
_QUERIES = 4
_TREE_OF_FEW = RatpConfig(scorer="likelihood", query=_QUERY, max_retrievals=_QUERIES)
_CHAIN = RatpConfig(scorer="likelihood", query=_QUERY, select="chain", max_retrievals=_QUERIES)
_BUDGETS = {"few": (8, _CALLS, 20), "more": (8, _CALLS), "many": (8, _CALLS)}
"""So that the tokens of N enclose those of RATP."""
_JUDGED = FilterVoteConfig(format=LinesCritiqueConfig())


def _searches(
    num_documents: int, *strategies: Strategy, budgets: tuple[int, ...] = (_CALLS,)
) -> SearchJob:
    return SearchJob(
        problems=WorldProblemsConfig(split="dev", num_problems=200, seed=1, diaries=True),
        strategies=strategies,
        budgets=budgets,
        score=ScoreConfig(by="likelihood"),
        limits=SearchLimits(max_tokens=128, max_step_tokens=64),
        retrieval=RetrievalConfig(**{**dict(DIARIES), "num_documents": num_documents}),
    )


class RetrievalExperimentConfig(ExperimentConfig):
    """RATP against no retrieval, retrieval once, and best of N or beam search after it."""

    name: ClassVar[str] = "retrieval"
    subject: ClassVar[Subject] = "Search"
    details: ClassVar[str] = "retrieval.md"
    quick_fields: ClassVar[Mapping[str, Any]] = {
        part: {"problems": {"num_problems": 60}}
        for part in ("none", "few", "more", "many", "judged", "thoughts")
    }

    none: SearchJob = _searches(0, MajorityConfig())
    """No documents."""
    few: SearchJob = _searches(3, MajorityConfig(), BeamConfig(), budgets=_BUDGETS["few"])
    """The three best documents for the question."""
    more: SearchJob = _searches(5, MajorityConfig(), BeamConfig(), budgets=_BUDGETS["more"])
    """The five best."""
    many: SearchJob = _searches(8, MajorityConfig(), BeamConfig(), budgets=_BUDGETS["many"])
    """The eight best, as many as a thought may read."""
    judged: SearchJob = _searches(5, _JUDGED, budgets=(_CALLS // 2,))
    """The five best, and each solution judged by the policy: as many calls."""
    thoughts: SearchJob = _searches(4, _LIKELY, _SELF, _ORACLE, _FLAT, _TREE_OF_FEW, _CHAIN)
    """The trees of thoughts, and what is like them without a tree."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        once = _answers("more", "majority", "majority", "one-shot retrieval of 5 and a vote of 12")
        none = _answers("none", "majority", "majority", "no retrieval and a vote of 12")
        likely, own, oracle, flat, of_few, chain = (
            _answers("thoughts", config.label(), "chosen", f"RATP by {words}")
            for config, words in (
                (_LIKELY, "likelihood"),
                (_SELF, "self-critique"),
                (_ORACLE, "the oracle"),
                (_FLAT, "likelihood without a tree"),
                (_TREE_OF_FEW, f"likelihood, at most {_QUERIES} queries"),
                (_CHAIN, f"likelihood in chains, {_QUERIES} queries"),
            )
        )
        best_of = "retrieval and best of 12 by likelihood"
        return (
            _relation(
                "retrieval_over_none",
                "retrieval beats none",
                once,
                none,
                "24 to 34: worse",
            ),
            *(
                _relation(
                    "ratp_over_one_shot",
                    "RATP beats retrieval once",
                    ours,
                    once,
                    "71 to 24 on emrQA",
                    point,
                )
                for ours, point in ((own, "by self-critique"), (likely, "by likelihood"))
            ),
            _relation(
                "oracle_over_self",
                "RATP by the oracle beats RATP by self-critique",
                oracle,
                own,
                "88 to 71 on emrQA",
            ),
            *(
                _relation(
                    "ratp_over_best_of_n",
                    "RATP beats retrieval and best of N at equal calls",
                    likely,
                    _answers(part, "majority", "likelihood", best_of),
                    "never compared",
                    f"{number} documents, by likelihood",
                )
                for part, number in (("few", 3), ("more", 5), ("many", 8))
            ),
            _relation(
                "ratp_over_best_of_n",
                "RATP beats retrieval and best of N at equal calls",
                own,
                DecidedAnswers(
                    label="retrieval and 6 solutions, each judged",
                    part="judged",
                    strategy=_JUDGED.label(),
                    budget=_CALLS // 2,
                ),
                "never compared",
                "5 documents, by self-critique",
            ),
            *(
                _relation(
                    "ratp_over_beam",
                    "RATP beats retrieval and beam search at equal calls",
                    likely,
                    _answers(part, "beam by likelihood", "likelihood", "retrieval and beam of 12"),
                    "never compared",
                    f"{number} documents, by likelihood",
                )
                for part, number in (("few", 3), ("more", 5), ("many", 8))
            ),
            *(
                _relation(
                    f"ratp_over_{short}_for_tokens",
                    f"RATP beats {words} at equal tokens",
                    likely,
                    AnswersForTokens(
                        label=f"{words}, as many tokens",
                        search=_answers(part, strategy, "likelihood", words),
                        budgets=_BUDGETS[part],
                        spent=likely,
                    ),
                    "never compared",
                    f"{number} documents, by likelihood",
                )
                for short, strategy, words in (
                    ("best_of_n", "majority", "retrieval and best of N"),
                    ("beam", "beam by likelihood", "retrieval and beam search"),
                )
                for part, number in (("few", 3), ("more", 5), ("many", 8))
            ),
            _relation(
                "tree_over_chain",
                "a tree of thoughts beats chains of thoughts at equal retrievals",
                of_few,
                chain,
                "never compared",
                f"at most {_QUERIES} queries",
            ),
            _relation(
                "tree_over_flat",
                "a tree of thoughts beats lists of documents of several lengths",
                likely,
                flat,
                "never compared",
            ),
        )


def _relation(
    name: str,
    claim: str,
    larger: Figure,
    smaller: Figure,
    published: str,
    point: str = "",
) -> Relation:
    return Relation(
        name=name,
        claim=claim,
        paper=_RATP,
        published=published,
        larger=larger,
        smaller=smaller,
        point=point,
    )


def _answers(part: str, strategy: str, pick: str, label: str) -> DecidedAnswers:
    return DecidedAnswers(label=label, part=part, strategy=strategy, budget=_CALLS, pick=pick)
