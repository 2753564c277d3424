from math import ceil

import pytest

from schemas.engines import MarkovConfig
from schemas.search import ScoreConfig
from schemas.search.strategies import BeamConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems


def share_evenly(num: int, num_kept: int) -> list[int]:
    return [num // num_kept + (place < num % num_kept) for place in range(num_kept)]


@pytest.mark.parametrize(("budget", "width", "p_right"), [(4, 4, 0.3), (8, 4, 0.25), (8, 2, 0.25)])
def test_success_is_that_of_the_dynamic_programme(
    find, p_alive, assert_rate, budget, width, p_right
):
    engine = MarkovEngine(MarkovConfig(num_steps=4, p_right=p_right, p_recover=0.0))

    def plan(right: int, wrong: int, num_done: int) -> list[int]:
        return share_evenly(budget, min(right + wrong, ceil(budget / width)))

    p = p_alive(budget=budget, p_right=p_right, num_steps=4, plan=plan)
    if budget == width:
        assert p == pytest.approx((1 - (1 - p_right) ** budget) ** 4)
    problems = markov_problems(200, seed=2)
    found = find(BeamConfig(width=width), engine, problems, budget=budget, verifier=engine)
    assert_rate([one.any_correct for one in found], p)


def test_an_exact_verifier_finds_the_optimum_with_four_beams_of_width_four(find):
    engine = MarkovEngine(MarkovConfig(num_steps=5, p_right=0.8, p_recover=0.0))
    found = find(
        BeamConfig(width=4), engine, markov_problems(64, seed=3), budget=4, verifier=engine
    )
    assert sum(one.any_correct for one in found) >= 63


def test_the_budget_asked_is_the_budget_spent(find):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.5, p_recover=0.2))
    for budget, width in [(1, 1), (4, 1), (4, 2), (16, 4), (64, 8)]:
        found = find(
            BeamConfig(width=width), engine, markov_problems(3, seed=4), budget=budget,
            verifier=engine,
        )  # fmt: skip
        for one in found:
            assert len(one.ends) == budget
            assert {end.state for end in one.ends} == {"finished"}
            assert [row.status for row in one.rows[:budget]] == ["finished"] * budget


def test_the_best_prefixes_go_on_and_the_others_say_their_rank(table_engine, find_one):
    table = {
        "": {"a\n": 0.25, "b\n": 0.25, "c\n": 0.25, "d\n": 0.25},
        "b\n": {"Answer: 1": 0.5, "Answer: 2": 0.5},
        "c\n": {"Answer: 4": 0.5, "Answer: 3": 0.5},
    }
    scores = {"a\n": 0.1, "b\n": 0.7, "c\n": 0.9, "d\n": 0.4}
    scores |= {f"{step}Answer: {n}": 0.5 for step in ("b\n", "c\n") for n in (1, 2, 3, 4)}
    found = find_one(BeamConfig(width=2), table_engine(table, scores), budget=4)
    assert found.texts == [
        "c\nAnswer: 4", "c\nAnswer: 3", "b\nAnswer: 1", "b\nAnswer: 2",
    ]  # fmt: skip
    pruned = {row.text: row.reason for row in found.rows if row.status == "pruned"}
    assert pruned == {"a\n": "rank 4 of 4", "d\n": "rank 3 of 4"}


def test_a_finished_solution_keeps_its_place_and_its_score(table_engine, find_one):
    table = {
        "": {"Answer: 1": 0.5, "a\n": 0.5},
        "a\n": {"b\n": 0.5, "c\n": 0.5},
        "a\nb\n": {"Answer: 4": 1.0},
        "a\nc\n": {"Answer: 4": 1.0},
    }
    scores = {"Answer: 1": 0.01, "a\n": 0.9, "a\nb\n": 0.9, "a\nc\n": 0.8}
    scores |= {"a\nb\nAnswer: 4": 0.99, "a\nc\nAnswer: 4": 0.98}
    engine = table_engine(table, scores)
    found = find_one(BeamConfig(width=2), engine, budget=2)
    assert found.texts == ["Answer: 1", "a\nb\nAnswer: 4"]
    assert [end.score for end in found.ends] == [0.01, 0.99]
    assert [request.n for request in engine.requests] == [2, 1, 1]


def test_equal_prefixes_are_one_and_their_draws_are_made_again(table_engine, find_one):
    table = {
        "": {"a\n": 1.0},
        "a\n": {"b\n": 0.5, "c\n": 0.5},
        "a\nb\n": {"Answer: 4": 1.0},
        "a\nc\n": {"Answer: 1": 1.0},
    }
    scores = {"a\n": 0.9, "a\nb\n": 0.9, "a\nc\n": 0.8}
    scores |= {"a\nb\nAnswer: 4": 0.99, "a\nc\nAnswer: 1": 0.98}
    engine = table_engine(table, scores)
    found = find_one(BeamConfig(width=2), engine, budget=4)
    assert [request.n for request in engine.requests] == [4, 4, 2, 2]
    assert sorted(found.texts) == ["a\nb\nAnswer: 4"] * 2 + ["a\nc\nAnswer: 1"] * 2
    assert engine.scored.count("a\n") == 1


def test_a_finished_text_that_is_there_gives_its_place_back(table_engine, find_one):
    table = {
        "": {"Answer: 1": 0.5, "a\n": 0.5},
        "a\n": {"Answer: 4": 0.5, "b\n": 0.5},
        "a\nb\n": {"Answer: 4": 1.0},
    }
    scores = {"Answer: 1": 0.2, "a\n": 0.9, "a\nAnswer: 4": 0.8, "a\nb\n": 0.5}
    scores["a\nb\nAnswer: 4"] = 0.7
    found = find_one(BeamConfig(width=4), table_engine(table, scores), budget=4)
    assert found.texts == ["Answer: 1", "a\nAnswer: 4", "a\nb\nAnswer: 4", "a\nb\nAnswer: 4"]
    reasons = [row.reason for row in found.rows if row.status == "pruned"]
    assert reasons.count("same text as 0") == 1


def test_a_beam_by_likelihood_needs_no_verifier(table_engine, find_one):
    table = {
        "": {"a\n": 0.3, "b\n": 0.7},
        "a\n": {"Answer: 1": 1.0},
        "b\n": {"Answer: 4": 1.0},
    }
    found = find_one(
        BeamConfig(width=2),
        table_engine(table),
        budget=2,
        verifier=None,
        score=ScoreConfig(by="likelihood"),
    )
    assert found.texts == ["b\nAnswer: 4"] * 2
    assert sum(row.scored_tokens for row in found.rows) == 0


@pytest.mark.parametrize(("by", "kept"), [("verifier", "b\n"), ("likelihood+logit", "a\n")])
def test_likelihood_outweighs_a_verifier_that_likes_rare_steps(table_engine, find_one, by, kept):
    table = {
        "": {"a\n": 0.99, "b\n": 0.01},
        "a\n": {"Answer: 4": 1.0},
        "b\n": {"Answer: 1": 1.0},
    }
    scores = {"a\n": 0.6, "b\n": 0.9, "a\nAnswer: 4": 0.6, "b\nAnswer: 1": 0.9}
    score = ScoreConfig(by=by, reduction="last")
    found = find_one(BeamConfig(width=2), table_engine(table, scores), budget=2, score=score)
    assert {text[:2] for text in found.texts} == {kept}


def test_places_taken_by_finished_solutions_leave_fewer_beams(table_engine, find_one):
    table = {
        "": {"Answer: 1": 0.25, "Answer: 2": 0.25, "a\n": 0.25, "b\n": 0.25},
        "a\n": {"Answer: 4": 0.5, "Answer: 3": 0.5},
        "b\n": {"Answer: 5": 1.0},
    }
    scores = {"Answer: 1": 0.3, "Answer: 2": 0.2, "a\n": 0.9, "b\n": 0.8}
    scores |= {"a\nAnswer: 4": 0.9, "a\nAnswer: 3": 0.9, "b\nAnswer: 5": 0.9}
    found = find_one(BeamConfig(width=2), table_engine(table, scores), budget=4)
    assert found.texts == ["Answer: 1", "Answer: 2", "a\nAnswer: 4", "a\nAnswer: 3"]
    assert [row.reason for row in found.rows if row.status == "pruned"] == ["rank 2 of 2"]
