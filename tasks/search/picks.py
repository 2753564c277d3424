"""Choosing one answer from the candidates of a search, by every applicable pick.

Picks are named like rankers: `majority`; `best_of_n[min]` and `weighted[min]`, one per reduction;
`likelihood` and `likelihood+logit[min]`, the best by these values; `confidence`, by votes weighted
with the policy's confidence, for strategies that read it. `chains[min]` is for revisions:
a weighted vote within each chain, then one among the best solutions with the winning answer of each
chain (arXiv:2408.03314, appendix M). `refined`, `first_attempts` and `last_attempts` are for chains
of critiques (see tasks/critics/chains.py), `refined[min]` with votes weighted by the verifier. If
answers cannot be compared, picks by votes are left out.
Ties are broken with a seed, in the same way by every pick.
"""

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.evaluation import Reduction
from schemas.search import ScoreConfig
from tasks.critics.chains import FIRST, LAST, REFINED
from tasks.verifiers.reductions import join_likelihood, reduce_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A finished solution of a search."""

    trajectory_id: str
    answer_class: int | None
    """A number that is the same for equal answers; None without an answer."""
    logprob: float | None
    """Log probability of the whole solution."""
    scores: tuple[float, ...]
    """The verifier's scores, one per step or one in all; empty if it scored nothing."""
    chain: int = 0
    """The chain of revisions that it belongs to."""
    confidence: float | None = None
    """The policy's confidence of it; None unless the strategy reads confidences."""
    votes: Mapping[str, float] = field(default_factory=dict)
    """Its votes in the picks of its chain, by pick; empty unless it is part of a chain of
    critiques."""

    def reduced(self, how: Reduction) -> float | None:
        """The scores reduced to one value in [0, 1]."""
        return reduce_scores(self.scores, how) if self.scores else None

    def worth(self, score: ScoreConfig) -> float | None:
        """The value that the search ranked it by."""
        value = self.reduced(score.how)
        if score.by == "verifier" or (score.by != "likelihood" and value is None):
            return value
        if self.logprob is None or value is None or score.by == "likelihood":
            return self.logprob
        return join_likelihood(self.logprob, value, score.weight)


def pick_all(
    candidates: Sequence[Candidate],
    score: ScoreConfig,
    reductions: Sequence[Reduction],
    *,
    has_chains: bool,
    has_votes: bool = True,
    seed: int,
) -> dict[str, Candidate | None]:
    """The candidate that each pick chooses; None if no candidate has what the pick needs.

    Args:
        candidates: the finished solutions, in the order found.
        score: the value that the search ranked by.
        reductions: the reductions of the verifier's scores to use.
        has_chains: whether the candidates form chains of revisions.
        has_votes: whether answers have classes, so that they can be voted on.
        seed: breaks ties.
    """
    rng = random.Random(seed)
    priority = {c.trajectory_id: rng.random() for c in candidates}
    picks: dict[str, Candidate | None] = {}
    if has_votes:
        picks["majority"] = vote(candidates, [1.0] * len(candidates), priority)
        confidences = [candidate.confidence for candidate in candidates]
        if any(confidence is not None for confidence in confidences):
            picks["confidence"] = vote(candidates, confidences, priority)
        if any(candidate.votes for candidate in candidates):
            for name in (REFINED, FIRST, LAST):
                picks[name] = _vote_among(candidates, name, None, priority)
    likelihood = ScoreConfig(by="likelihood")
    picks["likelihood"] = best(candidates, [c.worth(likelihood) for c in candidates], priority)
    if any(candidate.scores for candidate in candidates):
        for how in reductions:
            values = [candidate.reduced(how) for candidate in candidates]
            picks[f"best_of_n[{how}]"] = best(candidates, values, priority)
            if has_votes:
                picks[f"weighted[{how}]"] = vote(candidates, values, priority)
            if has_votes and any(candidate.votes for candidate in candidates):
                picks[f"{REFINED}[{how}]"] = _vote_among(candidates, REFINED, how, priority)
            if has_votes and has_chains:
                picks[f"chains[{how}]"] = _vote_by_chain(candidates, how, priority)
        mixed = score if score.by == "likelihood+logit" else ScoreConfig()
        picks[mixed.name] = best(candidates, [c.worth(mixed) for c in candidates], priority)
    return picks


def best(
    candidates: Sequence[Candidate],
    values: Sequence[float | None],
    priority: dict[str, float],
) -> Candidate | None:
    """The candidate with the highest value; None if no candidate has a value."""
    known = [(v, c) for v, c in zip(values, candidates, strict=True) if v is not None]
    if not known:
        return None
    return max(known, key=lambda pair: (pair[0], priority[pair[1].trajectory_id]))[1]


def vote(
    candidates: Sequence[Candidate],
    weights: Sequence[float | None],
    priority: dict[str, float],
) -> Candidate | None:
    """The heaviest candidate with the winning answer; None if no candidate has an answer."""
    votes: dict[int, list[float]] = defaultdict(list)
    members: dict[int, list[tuple[float, Candidate]]] = defaultdict(list)
    for candidate, weight in zip(candidates, weights, strict=True):
        if candidate.answer_class is not None:
            votes[candidate.answer_class].append(weight or 0.0)
            members[candidate.answer_class].append((weight or 0.0, candidate))
    if not votes:
        return None

    def rank(answer: int) -> tuple[float, float]:
        first = members[answer][0][1]  # one chance per answer, however often given
        return round(math.fsum(votes[answer]), 12), priority[first.trajectory_id]

    winners = members[max(votes, key=rank)]
    return max(winners, key=lambda pair: (pair[0], priority[pair[1].trajectory_id]))[1]


def _vote_among(
    candidates: Sequence[Candidate], name: str, how: Reduction | None, priority: dict[str, float]
) -> Candidate | None:
    """A vote of the candidates that have votes in this pick, weighted by reduced scores if any."""
    voters = [candidate for candidate in candidates if candidate.votes.get(name)]
    weights = [c.votes[name] * (1.0 if how is None else c.reduced(how) or 0.0) for c in voters]
    return vote(voters, weights, priority)


def _vote_by_chain(
    candidates: Sequence[Candidate], how: Reduction, priority: dict[str, float]
) -> Candidate | None:
    chains: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        chains[candidate.chain].append(candidate)
    winners = [vote(chain, [c.reduced(how) for c in chain], priority) for chain in chains.values()]
    finalists = [winner for winner in winners if winner is not None]
    return vote(finalists, [c.reduced(how) for c in finalists], priority)
