"""From the candidates of one search to one answer, by every pick that can be made of them.

Picks are named as rankers are: `majority`; `best_of_n[min]` and `weighted[min]`, one per reduction;
`likelihood` and `likelihood+logit[min]`, the best by these. `chains[min]` is for revisions: a
weighted vote within each chain, then one among the chains' best solutions with their winning
answers (arXiv:2408.03314, appendix M). Where answers cannot be compared there are no votes, and no
picks by them. Ties are broken by a seed, in the same way by every pick.
"""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.evaluation import Reduction
from schemas.search import ScoreConfig
from tasks.verifiers.reductions import join_likelihood, reduce_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A finished solution of a search."""

    trajectory_id: str
    answer_class: int | None
    """Equal answers share a number; None without an answer."""
    logprob: float | None
    """Summed over the whole solution."""
    scores: tuple[float, ...]
    """The verifier's, a value per step or one of the whole; empty where it read nothing."""
    chain: int = 0
    """Which chain of revisions it is of."""

    def reduced(self, how: Reduction) -> float | None:
        """The scores as one value in [0, 1]."""
        return reduce_scores(self.scores, how) if self.scores else None

    def worth(self, score: ScoreConfig) -> float | None:
        """What the search ranked it by."""
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
    """The candidate that each pick takes; None where no candidate has an answer to be voted for.

    Args:
        candidates: the finished solutions, in order of finding.
        score: what the search ranked by.
        reductions: of the verifier's scores.
        has_chains: whether the candidates are chains of revisions.
        has_votes: whether answers have classes; without them there is nothing to vote on.
        seed: breaks ties.
    """
    rng = random.Random(seed)
    priority = {c.trajectory_id: rng.random() for c in candidates}
    picks: dict[str, Candidate | None] = {}
    if has_votes:
        picks["majority"] = vote(candidates, [1.0] * len(candidates), priority)
    likelihood = ScoreConfig(by="likelihood")
    picks["likelihood"] = best(candidates, [c.worth(likelihood) for c in candidates], priority)
    if any(candidate.scores for candidate in candidates):
        for how in reductions:
            values = [candidate.reduced(how) for candidate in candidates]
            picks[f"best_of_n[{how}]"] = best(candidates, values, priority)
            if has_votes:
                picks[f"weighted[{how}]"] = vote(candidates, values, priority)
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
    """The candidate of the highest value; None where none has one."""
    known = [(v, c) for v, c in zip(values, candidates, strict=True) if v is not None]
    if not known:
        return None
    return max(known, key=lambda pair: (pair[0], priority[pair[1].trajectory_id]))[1]


def vote(
    candidates: Sequence[Candidate],
    weights: Sequence[float | None],
    priority: dict[str, float],
) -> Candidate | None:
    """The heaviest candidate of the answer with most weight; None without an answer."""
    votes: dict[int, list[float]] = defaultdict(list)
    members: dict[int, list[tuple[float, Candidate]]] = defaultdict(list)
    for candidate, weight in zip(candidates, weights, strict=True):
        if candidate.answer_class is not None:
            votes[candidate.answer_class].append(weight or 0.0)
            members[candidate.answer_class].append((weight or 0.0, candidate))
    if not votes:
        return None

    def rank(answer: int) -> tuple[float, float]:
        first = members[answer][0][1]  # one chance per answer, however many gave it
        return round(math.fsum(votes[answer]), 12), priority[first.trajectory_id]

    winners = members[max(votes, key=rank)]
    return max(winners, key=lambda pair: (pair[0], priority[pair[1].trajectory_id]))[1]


def _vote_by_chain(
    candidates: Sequence[Candidate], how: Reduction, priority: dict[str, float]
) -> Candidate | None:
    chains: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        chains[candidate.chain].append(candidate)
    winners = [vote(chain, [c.reduced(how) for c in chain], priority) for chain in chains.values()]
    finalists = [winner for winner in winners if winner is not None]
    return vote(finalists, [c.reduced(how) for c in finalists], priority)
