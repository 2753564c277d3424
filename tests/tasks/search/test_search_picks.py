import math

import pytest

from schemas.search import ScoreConfig
from tasks.search.picks import Candidate, pick_all
from tasks.verifiers.reductions import logit

REDUCTIONS = ("min", "prod", "last", "mean")


def candidate(
    name: str, answer: int | None, *scores: float, logprob: float | None = -1.0, chain: int = 0
) -> Candidate:
    return Candidate(
        trajectory_id=name, answer_class=answer, logprob=logprob, scores=scores, chain=chain
    )


def picks(*candidates: Candidate, score: ScoreConfig | None = None, **fields) -> dict:
    options = {"has_chains": False, "seed": 0, **fields}
    found = pick_all(candidates, score or ScoreConfig(), REDUCTIONS, **options)
    return {pick: c.trajectory_id if c else None for pick, c in found.items()}


MIXED = [
    candidate("a", 0, 0.9, 0.2, logprob=-1.0),
    candidate("b", 0, 0.5, 0.5, logprob=-2.0),
    candidate("c", 1, 0.4, 0.8, logprob=-3.0),
    candidate("d", 1, 0.3, 0.75, logprob=-9.0),
    candidate("e", 1, 0.1, 0.1, logprob=-0.5),
    candidate("f", None, 0.95, 0.95, logprob=-8.0),
]


def test_picks_by_hand():
    found = picks(*MIXED)
    # min: class 0 weighs .2 + .5, class 1 .4 + .3 + .1
    assert found["best_of_n[min]"] == "f"
    assert found["weighted[min]"] == "c"
    # prod: class 0 .18 + .25 = .43, class 1 .32 + .225 + .01 = .555
    assert found["weighted[prod]"] == "c"
    # last: class 0 .2 + .5, class 1 .8 + .75 + .1
    assert found["weighted[last]"] == "c"
    # mean: class 0 .55 + .5, class 1 .6 + .525 + .1
    assert found["weighted[mean]"] == "c"
    assert found["likelihood"] == "e"
    # -1 + logit(.2) = -2.39, -2 + 0, -3 + logit(.4) = -3.41, -.5 + logit(.1) = -2.70
    assert found["likelihood+logit[min]"] == "b"
    assert found["majority"] in ("c", "d", "e")
    assert not [pick for pick in found if pick.startswith("chains")]


def test_a_late_class_with_more_weight_beats_an_early_one():
    assert picks(candidate("a", 0, 0.1), candidate("b", 1, 0.9))["weighted[last]"] == "b"


def test_a_heavy_minority_wins_the_weighted_vote_only():
    found = picks(candidate("a", 0, 0.9), candidate("b", 1, 0.3), candidate("c", 1, 0.4))
    assert found["weighted[min]"] == "a"
    assert found["majority"] in ("b", "c")


def test_without_a_verifier_there_are_votes_and_likelihood():
    found = picks(candidate("a", 0, logprob=-1.0), candidate("b", 0, logprob=-2.0))
    assert sorted(found) == ["likelihood", "majority"]
    assert found["likelihood"] == "a"


def test_an_answer_that_is_none_has_no_vote():
    found = picks(candidate("a", None, 0.9), candidate("b", None, 0.8), candidate("c", 0, 0.1))
    assert found["majority"] == "c"
    assert found["weighted[min]"] == "c"
    assert found["best_of_n[min]"] == "a"
    only = picks(candidate("a", None, 0.9))
    assert only["majority"] is None
    assert only["best_of_n[min]"] == "a"


def test_without_candidates_nothing_is_picked():
    assert set(picks().values()) == {None}


def test_a_missing_score_or_likelihood_is_no_zero():
    found = picks(candidate("a", 0, logprob=None), candidate("b", 1, 0.2, logprob=-5.0))
    assert found["best_of_n[min]"] == "b"
    assert found["likelihood"] == "b"
    assert found["likelihood+logit[min]"] == "b"


@pytest.mark.parametrize("pick", ["majority", "best_of_n[min]", "weighted[min]", "likelihood"])
def test_ties_fall_evenly_and_by_the_seed_alone(pick):
    tied = [candidate(str(number), number, 0.5) for number in range(4)]
    winners = [picks(*tied, seed=seed)[pick] for seed in range(400)]
    assert winners == [picks(*tied, seed=seed)[pick] for seed in range(400)]
    for number in range(4):
        share = winners.count(str(number)) / 400
        assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 400)


def test_a_tied_vote_does_not_favour_the_class_with_more_candidates():
    tied = [candidate("a", 0, 0.6), *(candidate(f"b{i}", 1, 0.2) for i in range(3))]
    wins = sum(picks(*tied, seed=seed)["weighted[min]"] == "a" for seed in range(400))
    assert abs(wins / 400 - 0.5) < 4 * math.sqrt(0.25 / 400)


def test_sums_that_are_equal_but_for_rounding_tie():
    parts = [candidate(f"a{i}", 0, 0.1) for i in range(3)]
    winners = {
        picks(candidate("b", 1, 0.3), *parts, seed=seed)["weighted[min]"] for seed in range(40)
    }
    assert "b" in winners
    assert len(winners) > 1


def test_chains_vote_within_and_then_among_themselves():
    chains = [
        # Chain 1: answer 0 weighs .5 + .4, its best is a1. Chain 2: answer 1, best b1.
        candidate("a1", 0, 0.5, chain=1),
        candidate("a2", 0, 0.4, chain=1),
        candidate("a3", 1, 0.8, chain=1),
        candidate("b1", 1, 0.45, chain=2),
        candidate("b2", 0, 0.1, chain=2),
    ]
    found = picks(*chains, has_chains=True)
    assert found["chains[min]"] == "a1"
    # Flat, answer 1 weighs .8 + .45 against .5 + .4 + .1.
    assert found["weighted[min]"] == "a3"
    # A third chain for answer 1 turns it: .45 + .2 against .5.
    assert picks(*chains, candidate("c", 1, 0.2, chain=3), has_chains=True)["chains[min]"] == "b1"


def test_the_search_own_score_is_a_pick():
    score = ScoreConfig(reduction="last", weight=2.0)
    found = picks(*MIXED, score=score)
    worths = {c.trajectory_id: c.worth(score) for c in MIXED}
    assert worths["c"] == pytest.approx(-3.0 + 2 * logit(0.8))
    assert found["likelihood+logit[last,2]"] == max(worths, key=lambda name: worths[name] or 0)
