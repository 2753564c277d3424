import pytest

from schemas.engines import MarkovConfig
from schemas.search.strategies import TreeOfThoughtsConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems

BFS = TreeOfThoughtsConfig(width=2)
DFS = TreeOfThoughtsConfig(width=2, order="dfs")


def test_breadth_first_pushes_out_a_finished_solution(table_engine, find_one):
    table = {
        "": {"Answer: 1": 0.25, "a\n": 0.25, "b\n": 0.25, "c\n": 0.25},
        "a\n": {"Answer: 2": 0.5, "Answer: 3": 0.5},
        "b\n": {"Answer: 4": 0.5, "d\n": 0.5},
    }
    scores = {"Answer: 1": 0.5, "a\n": 0.6, "b\n": 0.7, "c\n": 0.1}
    scores |= {"a\nAnswer: 2": 0.4, "a\nAnswer: 3": 0.3, "b\nAnswer: 4": 0.9, "b\nd\n": 0.2}
    found = find_one(BFS, table_engine(table, scores), budget=4)
    assert sorted(found.texts) == ["a\nAnswer: 2", "b\nAnswer: 4"]
    pruned = {row.text: row.reason for row in found.rows if row.status == "pruned"}
    assert pruned == {
        "Answer: 1": "rank 3 of 4",
        "c\n": "rank 4 of 4",
        "Answer: 3": "rank 3 of 4",
        "d\n": "rank 4 of 4",
    }


def test_breadth_first_keeps_a_finished_solution_that_stays_among_the_best(table_engine, find_one):
    table = {
        "": {"Answer: 4": 0.25, "a\n": 0.25, "b\n": 0.25, "c\n": 0.25},
        "b\n": {"Answer: 1": 0.5, "Answer: 2": 0.5},
    }
    scores = {"Answer: 4": 0.95, "a\n": 0.6, "b\n": 0.7, "c\n": 0.1}
    scores |= {"b\nAnswer: 1": 0.5, "b\nAnswer: 2": 0.3}
    found = find_one(BFS, table_engine(table, scores), budget=4)
    assert found.texts == ["Answer: 4", "b\nAnswer: 1"]
    assert found.main_decision().correct is True


def test_breadth_first_succeeds_as_the_formula_says(find, assert_rate):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.4, p_recover=0.0))
    config = TreeOfThoughtsConfig(width=4)
    found = find(config, engine, markov_problems(200, seed=10), budget=4, verifier=engine)
    assert {len(one.ends) for one in found} == {1}
    assert_rate([one.any_correct for one in found], (1 - 0.6**4) ** 3)


def test_depth_first_succeeds_as_the_formula_says(find, assert_rate):
    """Two steps are drawn one by one: after a wrong step the search turns back for one more try."""
    p = 0.6
    engine = MarkovEngine(MarkovConfig(num_steps=2, p_right=p, p_recover=0.0))
    config = TreeOfThoughtsConfig(order="dfs", width=1)
    found = find(config, engine, markov_problems(400, seed=10), budget=2, verifier=engine)
    # One time in ten the second first step equals a right one, which adds nothing.
    second_try = p * (1 - p) * (0.9 * p * p) + (1 - p) * p * p
    assert_rate([one.any_correct for one in found], p * p + second_try)


def test_depth_first_turns_back_below_the_threshold(table_engine, find_one):
    table = {
        "": {"a\n": 0.5, "b\n": 0.5},
        "a\n": {"c\n": 0.5, "d\n": 0.5},
        "b\n": {"Answer: 4": 0.5, "e\n": 0.5},
        "b\ne\n": {"Answer: 1": 1.0},
    }
    scores = {"a\n": 0.9, "b\n": 0.8, "a\nc\n": 0.2, "a\nd\n": 0.3}
    scores |= {"b\nAnswer: 4": 0.9, "b\ne\n": 0.7, "b\ne\nAnswer: 1": 0.1}
    engine = table_engine(table, scores)
    found = find_one(DFS, engine, budget=4)
    # a first, but both of its children score too low; then b: its end, then e and its end.
    assert found.texts == ["b\nAnswer: 4", "b\ne\nAnswer: 1"]
    assert [request.prefix for request in engine.requests] == ["", "a\n", "b\n", "b\ne\n"]
    pruned = {row.text: row.reason for row in found.rows if row.status == "pruned"}
    assert pruned["a\nc\n"] == "value 0.200, threshold 0.5"
    assert pruned["d\n"] == "value 0.300, threshold 0.5"


def test_depth_first_stops_when_the_budget_is_spent(table_engine, find_one):
    table = {
        "": {"a\n": 0.5, "b\n": 0.5},
        "a\n": {"Answer: 4": 0.5, "Answer: 1": 0.5},
        "b\n": {"Answer: 2": 1.0},
    }
    scores = {"a\n": 0.9, "b\n": 0.8, "a\nAnswer: 4": 0.9, "a\nAnswer: 1": 0.8}
    engine = table_engine(table, scores)
    found = find_one(DFS, engine, budget=2)
    assert found.texts == ["a\nAnswer: 4", "a\nAnswer: 1"]
    pruned = {row.text: row.reason for row in found.rows if row.status == "pruned"}
    assert pruned == {"b\n": "2 prefixes had ended or were turned away from"}


def test_depth_first_begins_again_until_the_budget_is_spent(table_engine, find_one):
    table = {
        "": {"a\n": 0.2, "b\n": 0.2, "c\n": 0.2, "d\n": 0.2, "e\n": 0.2},
        "e\n": {"Answer: 4": 0.5, "Answer: 1": 0.5},
    }
    scores = {"a\n": 0.1, "b\n": 0.2, "c\n": 0.3, "d\n": 0.4, "e\n": 0.5}
    scores |= {"e\nAnswer: 4": 0.9, "e\nAnswer: 1": 0.8}
    found = find_one(DFS, table_engine(table, scores), budget=6)
    assert found.texts == ["e\nAnswer: 4", "e\nAnswer: 1"]
    spent = [row for row in found.rows if row.reason and row.reason.startswith("value")]
    assert len(spent) + len(found.ends) == 6


@pytest.mark.parametrize("budget", [4, 40])
def test_depth_first_that_turns_away_from_everything_says_so(table_engine, find_one, budget):
    table = {"": {"a\n": 0.5, "b\n": 0.5}}
    found = find_one(DFS, table_engine(table, {"a\n": 0.1, "b\n": 0.2}), budget=budget)
    assert found.ends == []
    assert {row.status for row in found.rows} == {"pruned"}
    decision = found.main_decision()
    assert (decision.status, decision.correct, decision.num_finished) == ("unfinished", False, 0)


def test_depth_first_by_an_exact_verifier_turns_away_from_all_that_is_wrong(find):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.5, p_recover=0.0))
    config = TreeOfThoughtsConfig(width=2, order="dfs", threshold=0.01)
    found = find(config, engine, markov_problems(60, seed=11), budget=16, verifier=engine)
    assert all(row.correct for one in found for row in one.rows if row.status == "finished")
    assert sum(one.any_correct for one in found) > 50
    for one in found:
        turned = [row for row in one.rows if row.reason and row.reason.startswith("value")]
        assert len(turned) + len(one.ends) <= 16
