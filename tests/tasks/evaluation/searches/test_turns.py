"""Chains of attempts, turn by turn, against hand-computed figures."""

import pytest

from schemas.evaluation import EvaluationConfig
from tasks.evaluation.searches.turns import chains_of, turn_rows, turn_values


@pytest.fixture
def attempt(make_trajectory):
    def make(name, parent=None, correct=True, **fields):
        return make_trajectory(
            name,
            strategy="revisions[sequential=3]",
            parent_id=parent,
            branch_step=None if parent is None else 0,
            correct=correct,
            generated_tokens=10,
            **fields,
        )

    return make


def test_chains_are_followed_and_what_is_no_attempt_is_left_out(attempt):
    rows = [
        attempt("a0"),
        attempt("b0"),
        attempt("a1", "a0"),
        attempt("b1", "b0"),
        attempt("judge", "a0", role="judge"),
        attempt("unused", "b0", status="pruned"),
    ]
    names = [[row.trajectory_id for row in chain] for chain in chains_of(rows)]
    assert names == [["a0", "a1"], ["b0", "b1"]]


def test_turns_are_means_over_problems_each_over_its_chains(attempt):
    rows = [
        attempt("a0", correct=False),
        attempt("a1", "a0", correct=True),
        attempt("b0", correct=True),
        attempt("b1", "b0", correct=False),
        attempt("c0", correct=False, problem_id="q"),
        attempt("c1", "c0", correct=None, answer=None, status="truncated", problem_id="q"),
    ]
    values = turn_values(rows, lambda chain: float(bool(chain[-1].correct)))
    assert values == {
        "turn_1": {"p0": 0.5, "q": 0.0},
        "turn_2": {"p0": 0.5, "q": 0.0},  # cut without an answer is not right
        "turns_any": {"p0": 1.0, "q": 0.0},
        "turns_majority": {"p0": 0.5, "q": 0.0},
        "turns_tokens": {"p0": 20.0, "q": 20.0},
    }
    found = turn_rows("rise", "1", "policy-0", values, EvaluationConfig(num_bootstrap=20))
    assert {row.metric: row.value for row in found}["turn_2"] == 0.25
    assert {(row.arm, row.bin, row.num_problems) for row in found} == {("rise", "round=1", 2)}


def test_a_turn_that_cannot_be_judged_is_left_out(attempt):
    rows = [attempt("a0", correct=None), attempt("a1", "a0", correct=True)]
    values = turn_values(rows, lambda chain: 1.0)
    assert set(values["turn_2"].values()) == {1.0}
    assert "turn_1" not in values


def test_a_vote_or_a_choice_that_hangs_on_an_unjudged_turn_is_left_out(attempt):
    rows = [
        attempt("a0", correct=None),
        attempt("a1", "a0", correct=False),
        attempt("b0", correct=True),
        attempt("b1", "b0", correct=None),
    ]
    values = turn_values(rows, lambda chain: 1.0 if chain[0].correct else None)
    assert values["turns_any"] == {"p0": 1.0}  # b's alone
    assert values["turns_majority"] == {"p0": 1.0}
    assert values["turns_tokens"] == {"p0": 20.0}
    alone = turn_values(rows[:2], lambda chain: None)
    assert not alone.keys() & {"turns_any", "turns_majority"}
