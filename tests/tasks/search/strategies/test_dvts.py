import pytest

from schemas.engines import MarkovConfig
from schemas.search.strategies import DvtsConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.search.tree import walk


@pytest.mark.parametrize(("budget", "width"), [(4, 4), (8, 2), (8, 1)])
def test_success_is_that_of_independent_greedy_trees(find, assert_rate, budget, width):
    engine = MarkovEngine(MarkovConfig(num_steps=4, p_right=0.4, p_recover=0.0))
    p_tree = (1 - 0.6**width) ** 4
    problems = markov_problems(120, seed=7)
    found = find(DvtsConfig(width=width), engine, problems, budget=budget, verifier=engine)
    assert {len(one.ends) for one in found} == {budget // width}
    assert_rate([one.any_correct for one in found], 1 - (1 - p_tree) ** (budget // width))
    solved = [[end.score == 1 for end in one.ends] for one in found]
    assert_rate([first for first, *_ in solved], p_tree)


def test_each_tree_keeps_the_best_of_its_own_draws(table_engine, find_one):
    table = {
        "": {"a\n": 0.25, "b\n": 0.25, "c\n": 0.25, "d\n": 0.25},
        "b\n": {"Answer: 4": 1.0},
        "c\n": {"Answer: 1": 1.0},
    }
    scores = {"a\n": 0.1, "b\n": 0.2, "c\n": 0.9, "d\n": 0.8}
    scores |= {"b\nAnswer: 4": 0.2, "c\nAnswer: 1": 0.9}
    found = find_one(DvtsConfig(width=2), table_engine(table, scores), budget=4)
    assert found.texts == ["b\nAnswer: 4", "c\nAnswer: 1"]
    pruned = [row for row in found.rows if row.status == "pruned"]
    assert [row.text for row in pruned] == ["a\n", "Answer: 4", "Answer: 1", "d\n"]
    assert {row.reason for row in pruned} == {"rank 2 of 2"}


def test_trees_that_become_equal_stay_apart(table_engine, find_one):
    table = {
        "": {"a\n": 1.0},
        "a\n": {"b\n": 0.5, "Answer: 4": 0.25, "c\n": 0.25},
        "a\nb\n": {"Answer: 1": 1.0},
    }
    scores = {"a\n": 0.5, "a\nb\n": 0.9, "a\nAnswer: 4": 0.8, "a\nc\n": 0.1}
    scores["a\nb\nAnswer: 1"] = 0.9
    found = find_one(DvtsConfig(width=2), table_engine(table, scores), budget=4)
    # The second tree draws c and b: its draws continue the deal after the first tree's.
    assert found.texts == ["a\nb\nAnswer: 1"] * 2
    firsts = [end.lineage()[0] for end in found.ends]
    assert firsts[0] is not firsts[1]
    assert [first.path for first in firsts] == [(0,), (2,)]
    seeds = [node.seed for node in walk(found.search.root)]
    assert len(set(seeds)) == len(seeds)
