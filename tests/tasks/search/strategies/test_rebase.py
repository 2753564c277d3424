import math
import random
from fractions import Fraction

import pytest

from schemas.engines import MarkovConfig
from schemas.search import ScoreConfig
from schemas.search.strategies import RebaseConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems, p_right_answer
from tasks.search.strategies.rebase import allocate


@pytest.mark.parametrize(
    ("scores", "num", "shares"),
    [
        ([0.9, 0.5, 0.1], 16, [14, 2, 0]),
        ([0.95, 0.9, 0.6, 0.2], 8, [5, 3, 0, 0]),
        ([0.5, 0.5, 0.5, 0.5], 6, [2, 2, 1, 1]),
        ([0.1, 0.9], 16, [0, 16]),
        ([0.3], 5, [5]),
        ([-math.inf, -math.inf], 3, [2, 1]),
        ([-math.inf, 0.2], 3, [0, 3]),
        ([-4000.0, -1.0, -1.0], 4, [0, 2, 2]),
    ],
)
def test_shares_by_hand(scores, num, shares):
    assert allocate(scores, num, 0.2) == shares


def test_shares_add_up_and_follow_the_scores():
    rng = random.Random(0)
    for _ in range(2000):
        scores = [rng.random() for _ in range(rng.randint(1, 40))]
        num = rng.randint(1, 300)
        shares = allocate(scores, num, rng.choice([0.05, 0.2, 1.0, 5.0]))
        assert sum(shares) == num
        assert min(shares) >= 0
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        in_order = [shares[i] for i in order]
        assert in_order == sorted(in_order, reverse=True)


def test_shares_are_those_of_exact_arithmetic():
    scores, num = [0.31, 0.3, 0.29, 0.1], 7
    weights = [Fraction(math.exp((s - 0.31) / 0.2)) for s in scores]
    left, expected = num, []
    for place, weight in enumerate(weights):
        expected.append(min(left, math.ceil(left * weight / sum(weights[place:]))))
        left -= expected[-1]
    assert allocate(scores, num, 0.2) == expected


def test_nothing_to_share_among_is_refused():
    with pytest.raises(ValueError, match="expected a prefix"):
        allocate([], 4, 0.2)


@pytest.mark.parametrize("temperature", [None, 0.6])
def test_success_is_that_of_the_dynamic_programme(find, p_alive, assert_rate, temperature):
    config = MarkovConfig(num_steps=4, p_right=0.35, p_recover=0.0)
    engine = MarkovEngine(config)

    def plan(right: int, wrong: int, num_done: int) -> list[int]:
        value = p_right_answer(num_done, True, config)
        return allocate([value] * right + [0.0] * wrong, 6, temperature or 0.2)

    p = p_alive(budget=6, p_right=0.35, num_steps=4, plan=plan)
    strategy = RebaseConfig(balance_temperature=temperature)
    found = find(strategy, engine, markov_problems(200, seed=1), budget=6, verifier=engine)
    assert 0.2 < p < 0.9
    assert_rate([one.any_correct for one in found], p)


def test_finished_solutions_keep_their_places(table_engine, find_one):
    table = {
        "": {"Answer: 1": 0.25, "a\n": 0.25, "b\n": 0.25, "Answer: 2": 0.25},
        "a\n": {"Answer: 3": 1.0},
        "b\n": {"Answer: 4": 1.0},
    }
    scores = {"Answer: 1": 0.2, "Answer: 2": 0.4, "a\n": 0.9, "b\n": 0.9}
    scores |= {"a\nAnswer: 3": 0.7, "b\nAnswer: 4": 0.8}
    found = find_one(RebaseConfig(), table_engine(table, scores), budget=4)
    assert found.texts == ["Answer: 1", "Answer: 2", "a\nAnswer: 3", "b\nAnswer: 4"]
    assert [end.score for end in found.ends] == [0.2, 0.4, 0.7, 0.8]


def test_equal_prefixes_share_one_share_and_are_named(table_engine, find_one):
    table = {"": {"a\n": 0.5, "b\n": 0.5}, "a\n": {"Answer: 4": 1.0}, "b\n": {"Answer: 4": 1.0}}
    scores = {"a\n": 0.5, "b\n": 0.5, "a\nAnswer: 4": 0.9, "b\nAnswer: 4": 0.9}
    found = find_one(RebaseConfig(), table_engine(table, scores), budget=4)
    assert sorted(found.texts) == ["a\nAnswer: 4"] * 2 + ["b\nAnswer: 4"] * 2
    reasons = [row.reason for row in found.rows if row.status == "pruned"]
    assert reasons == ["same text as 0", "same text as 1"]


def test_a_prefix_without_a_share_says_so(table_engine, find_one):
    table = {"": {"a\n": 0.5, "b\n": 0.5}, "a\n": {"Answer: 4": 1.0}, "b\n": {"Answer: 1": 1.0}}
    scores = {"a\n": 0.95, "b\n": 0.05, "a\nAnswer: 4": 0.9}
    found = find_one(RebaseConfig(), table_engine(table, scores), budget=2)
    assert found.texts == ["a\nAnswer: 4"] * 2
    assert [row.reason for row in found.rows if row.status == "pruned"] == ["no share of 2 draws"]


def test_log_probabilities_have_a_wider_balance(table_engine, find_one):
    table = {"": {"a\n": 0.6, "b\n": 0.4}, "a\n": {"Answer: 4": 1.0}, "b\n": {"Answer: 1": 1.0}}
    found = find_one(
        RebaseConfig(),
        table_engine(table),
        budget=10,
        verifier=None,
        score=ScoreConfig(by="likelihood"),
    )
    assert sorted(found.texts) == ["a\nAnswer: 4"] * 6 + ["b\nAnswer: 1"] * 4
