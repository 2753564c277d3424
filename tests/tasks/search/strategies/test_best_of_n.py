from collections import Counter
from itertools import product
from math import prod

import pytest

from schemas.engines import MarkovConfig, PlantedConfig
from schemas.graders import PlantedGraderConfig
from schemas.search import ScoreConfig
from schemas.search.strategies import BestOfNConfig, MajorityConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.engines.planted_engine import PlantedEngine, p_success, planted_problems


@pytest.mark.parametrize("budget", [1, 4, 16])
def test_the_best_of_n_by_an_exact_verifier_is_right_where_any_is(find, assert_rate, budget):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.5, p_recover=0.0))
    problems = markov_problems(200, seed=5)
    found = find(BestOfNConfig(), engine, problems, budget=budget, verifier=engine)
    picked = [bool(one.decide()["best_of_n[last]"].correct) for one in found]
    assert picked == [one.any_correct for one in found]
    assert_rate(picked, 1 - (1 - 0.5**3) ** budget)


def test_the_best_of_n_planted_solutions_is_right_where_any_is(find, assert_rate):
    config = PlantedConfig(gammas=(0.4,), horizon=10)
    engine = PlantedEngine(config)
    problems = planted_problems(150, seed=1)
    gold = [int(word) for word in problems[0].answer.split()]
    found = find(
        BestOfNConfig(),
        engine,
        problems,
        budget=4,
        verifier=engine,
        grader=PlantedGraderConfig(),
    )
    picked = [bool(one.decide()["best_of_n[last]"].correct) for one in found]
    assert_rate(picked, 1 - (1 - p_success([], gold, config)) ** 4)


def p_majority(p_answers: list[float], num: int) -> float:
    """The chance that answer 0 wins a vote, with ties broken evenly, over all ways to draw."""
    p_win = 0.0
    for drawn in product(range(len(p_answers)), repeat=num):
        votes = Counter(drawn)
        most = max(votes.values())
        tied = [answer for answer, count in votes.items() if count == most]
        p_win += prod(p_answers[answer] for answer in drawn) * (0 in tied) / len(tied)
    return p_win


@pytest.mark.parametrize("budget", [1, 4, 5])
def test_a_majority_is_right_as_often_as_all_ways_to_draw_say(find, assert_rate, budget):
    engine = MarkovEngine(MarkovConfig(num_steps=1, p_right=0.4, p_recover=0.0))
    found = find(MajorityConfig(), engine, markov_problems(300, seed=6), budget=budget)
    picked = [bool(one.main_decision().correct) for one in found]
    assert {one.main_decision().pick for one in found} == {"majority"}
    assert_rate(picked, p_majority([0.4, 0.2, 0.2, 0.2], budget))


def test_every_step_is_read_once_and_every_solution_has_its_row(find):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.5, p_recover=0.0))
    (found,) = find(
        BestOfNConfig(), engine, markov_problems(1, seed=0), budget=6, verifier=engine,
        score=ScoreConfig(),
    )  # fmt: skip
    assert [row.status for row in found.rows] == ["finished"] * 6
    assert [row.parent_id for row in found.rows] == [None] * 6
    assert all(len(row.steps) == 4 for row in found.rows)
    assert all(step.score is not None for row in found.rows for step in row.steps)
    assert [row.prompt_tokens for row in found.rows] == [2, 0, 0, 0, 0, 0]
    num_texts = len({row.text for row in found.rows})
    assert sum(row.scored_tokens for row in found.rows) == num_texts * (2 + 4)
    assert sum(row.generated_tokens for row in found.rows) == 6 * 4
    assert found.main_decision().pick == "weighted[min]"


def test_a_majority_asks_no_verifier(find):
    engine = MarkovEngine(MarkovConfig(num_steps=3))
    (found,) = find(MajorityConfig(), engine, markov_problems(1, seed=0), budget=4, verifier=engine)
    assert sum(row.scored_tokens for row in found.rows) == 0
    assert all(step.score is None for row in found.rows for step in row.steps)
