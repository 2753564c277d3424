import math

import pytest

from schemas.engines import MarkovConfig
from schemas.search.strategies import MctsConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.search.strategies.mcts import puct, uct

TABLE = {
    "": {"A\n": 0.6, "B\n": 0.4},
    "A\n": {"Answer: 1": 0.5, "Answer: 2": 0.5},
    "B\n": {"Answer: 3": 0.5, "Answer: 4": 0.5},
}
SCORES = {"A\n": 0.5, "B\n": 0.65}
SCORES |= {"A\nAnswer: 1": 0.9, "A\nAnswer: 2": 0.2, "B\nAnswer: 3": 0.3, "B\nAnswer: 4": 0.8}
PUCT_ORDER = ["A\nAnswer: 1", "A\nAnswer: 2", "B\nAnswer: 4", "B\nAnswer: 3"]
UCT_ORDER = ["B\nAnswer: 4", "A\nAnswer: 1", "B\nAnswer: 3", "A\nAnswer: 2"]


@pytest.mark.parametrize(
    ("select", "budget", "visits", "values"),
    [
        # PUCT, rate 1.25. Walk 2: A .9 + .375 > B .65 + .5. Walk 3: A .55 + .354 < B .65 + .707.
        # Walk 4: A .55 + .433 < B .8 + .433.
        ("puct", 1, {"A\n": 1}, {"A\n": 0.9}),
        ("puct", 2, {"A\n": 2}, {"A\n": 0.55}),
        ("puct", 3, {"A\n": 2, "B\n": 1}, {"A\n": 0.55, "B\n": 0.8}),
        ("puct", 4, {"A\n": 2, "B\n": 2}, {"A\n": 0.55, "B\n": 0.55}),
        # UCT, weight .7. Walk 1: B .65 > A .5. Walk 2: A .5 + .824 > B .725 + .583.
        # Walk 3: A .7 + .734 < B .725 + .734. Walk 4: A .7 + .824 > B .583 + .673.
        ("uct", 1, {"B\n": 1}, {"B\n": 0.8}),
        ("uct", 2, {"A\n": 1, "B\n": 1}, {"A\n": 0.9, "B\n": 0.8}),
        ("uct", 3, {"A\n": 1, "B\n": 2}, {"A\n": 0.9, "B\n": 0.55}),
        ("uct", 4, {"A\n": 2, "B\n": 2}, {"A\n": 0.55, "B\n": 0.55}),
    ],
)
def test_visits_and_values_by_hand(table_engine, find_one, select, budget, visits, values):
    strategy = MctsConfig(select=select, width=2)
    found = find_one(strategy, table_engine(TABLE, SCORES), budget=budget)
    assert found.texts == (PUCT_ORDER if select == "puct" else UCT_ORDER)[:budget]
    first_steps = found.search.root.children
    assert {n.text: n.visits for n in first_steps if n.visits} == visits
    for node in first_steps:
        if node.visits:
            assert node.value == pytest.approx(values[node.text])
    assert found.search.root.visits == budget


def test_visits_and_values_are_stored_with_the_steps(table_engine, find_one):
    found = find_one(MctsConfig(width=2), table_engine(TABLE, SCORES), budget=3)
    stored = {
        (row.text, place): (step.visits, step.value)
        for row in found.rows
        for place, step in enumerate(row.steps)
    }
    assert stored["A\nAnswer: 1", 0] == (2, pytest.approx(0.55))
    assert stored["A\nAnswer: 1", 1] == (1, 0.9)
    assert stored["Answer: 2", 0] == (1, 0.2)
    assert stored["Answer: 3", 0] == (None, None)
    (unused,) = [row for row in found.rows if row.status == "pruned"]
    assert (unused.text, unused.reason) == ("Answer: 3", "the search ended")


@pytest.mark.parametrize("select", ["puct", "uct"])
def test_a_tree_that_is_used_up_ends_the_search(table_engine, find_one, select):
    engine = table_engine(TABLE, SCORES)
    found = find_one(MctsConfig(select=select, width=2), engine, budget=20)
    assert sorted(found.texts) == sorted(PUCT_ORDER)
    assert len(engine.scored) == len(set(engine.scored))
    assert found.main_decision().num_finished == 4


def test_an_end_without_a_score_or_cut_is_worth_nothing(table_engine, find_one):
    table = {"": {"A\n": 1.0}, "A\n": {"b": 1.0}, "A\nb": {"b": 1.0}, "A\nbb": {"b": 1.0}}
    engine = table_engine(table, {"A\n": 0.9, "A\nbb": 0.9})
    found = find_one(MctsConfig(width=2), engine, budget=1, max_step_tokens=2)
    assert [(end.state, end.value) for end in found.ends] == [("truncated", 0.0)]
    assert found.search.root.children[0].value == 0.0
    assert found.main_decision().status == "unfinished"


@pytest.mark.parametrize("select", ["puct", "uct"])
def test_one_walk_by_an_exact_verifier_is_a_greedy_tree(find, assert_rate, select):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.5, p_recover=0.0))
    found = find(
        MctsConfig(select=select, width=3), engine, markov_problems(200, seed=9), budget=1,
        verifier=engine,
    )  # fmt: skip
    assert_rate([one.any_correct for one in found], (1 - 0.5**3) ** 3)


def test_walks_end_at_different_solutions(find):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.5, p_recover=0.2))
    for one in find(
        MctsConfig(width=2), engine, markov_problems(5, seed=1), budget=16, verifier=engine
    ):
        assert len(set(one.texts)) == len(one.texts) == 16


def test_greedy_draws_leave_one_solution(find):
    engine = MarkovEngine(MarkovConfig(num_steps=3))
    (found,) = find(
        MctsConfig(), engine, markov_problems(1, seed=0), budget=8, verifier=engine, temperature=0
    )
    assert len(found.ends) == 1


def test_noise_at_the_root_changes_walks_and_repeats_itself(find):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.5, p_recover=0.3))
    problems = markov_problems(6, seed=2)

    def texts(noise: float) -> list[list[str]]:
        found = find(MctsConfig(root_noise=noise), engine, problems, budget=8, verifier=engine)
        return [one.texts for one in found]

    assert texts(0.9) == texts(0.9)
    assert texts(0.9) != texts(0.0)


def test_formulas():
    assert puct(0.5, 0.25, 3, 16) == pytest.approx(
        0.5 + (math.log((16 + 19653) / 19652) + 1.25) * 0.25 * 4 / 4
    )
    assert uct(0.5, 2, 8, 0.7) == pytest.approx(0.5 + 0.7 * math.sqrt(2 * math.log(8) / 2))
