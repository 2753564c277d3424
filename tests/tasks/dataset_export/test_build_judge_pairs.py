"""Pairs by a judge's mean score, and a judge's first set, from hand-written pools."""

import pytest

from schemas.errors import NothingToLearn

PASS, FLAG, MUTE = "Review: right", "one: wrong\nReview: wrong", "nothing to say"
TEXTS = {name: f"one: {name}\nAnswer: {name}" for name in "abcd"}


@pytest.fixture
def pool(fill):
    """Four solutions of p0, of which the judge likes a wrong one; two of p1."""
    return fill(
        {"p0": {}, "p1": {}},
        [
            ("a", "p0", TEXTS["a"], True),
            ("b", "p0", TEXTS["b"], False),
            ("c", "p0", TEXTS["c"], False),
            ("d", "p0", TEXTS["d"], None),
            ("e", "p1", TEXTS["a"], True),
            ("f", "p1", TEXTS["b"], False),
        ],
    )


def judged(*votes):
    """Rows of judgements: (solution, problem, texts)."""
    return [
        (f"{solution}{index}", solution, problem, text)
        for solution, problem, texts in votes
        for index, text in enumerate(texts)
    ]


def test_the_best_judged_is_chosen_over_the_worst_whatever_their_grades(pool, criticise, build):
    criticise(
        judged(
            ("a", "p0", [PASS, FLAG, FLAG]),
            ("b", "p0", [PASS, PASS, FLAG]),  # equal texts count as often as they were drawn
            ("c", "p0", [FLAG, FLAG, FLAG]),
            ("d", "p0", [MUTE, MUTE, MUTE]),
            ("e", "p1", [PASS, FLAG]),
            ("f", "p1", [FLAG, PASS, MUTE]),
        )
    )
    rows, built = build({"type": "self_rewarding"})
    assert [(row["chosen"], row["rejected"]) for row in rows] == [(TEXTS["b"], TEXTS["c"])]
    assert rows[0]["prompt"].rstrip() == "What is p0?"
    assert rows[0]["source_ids"] == ["b", "c"]
    assert rows[0]["reason"] == "judged 0.6667 against 0.0000"
    left_out = built.facts["counts"]["left_out"]
    assert left_out["rows"] == {"not_judged": 1, "no_pair": 1}  # d; the tie of p1
    assert left_out["critiques"] == {}


def test_a_probability_decides_where_the_judge_has_one(pool, criticise, build):
    criticise(judged(("a", "p0", [FLAG])), p_right=0.9)
    criticise(judged(("b", "p0", [PASS])), p_right=0.4, name="train.00000-00000000000000ff")
    rows, _ = build({"type": "self_rewarding"})
    assert rows[0]["source_ids"] == ["a", "b"]


def test_too_few_judgements_or_too_small_a_margin_make_no_pair(pool, criticise, build):
    criticise(judged(("a", "p0", [PASS, FLAG]), ("b", "p0", [FLAG, FLAG])))
    assert len(build({"type": "self_rewarding", "min_margin": 0.5})[0]) == 1
    with pytest.raises(NothingToLearn, match="small_margin"):
        build({"type": "self_rewarding", "min_margin": 0.6})
    with pytest.raises(NothingToLearn, match="not_judged"):
        build({"type": "self_rewarding", "min_judgements": 3})


def test_rejected_ones_may_be_those_of_another_policy(fill, criticise, build):
    fill({"p0": {}}, [("a", "p0", TEXTS["a"], True), ("b", "p0", TEXTS["b"], False)])
    criticise(judged(("a", "p0", [PASS]), ("b", "p0", [FLAG])))
    assert len(build({"type": "self_rewarding"})[0]) == 1
    with pytest.raises(NothingToLearn, match="no_pair"):
        build({"type": "self_rewarding", "rejected": ["policy-0"]})
    with pytest.raises(NothingToLearn, match="no_pair"):
        build({"type": "self_rewarding", "rejected": ["another"]})


def test_a_judge_that_says_nothing_makes_no_pair(pool, criticise, build):
    criticise(judged(*((name, "p0", [MUTE]) for name in "abcd")))
    with pytest.raises(NothingToLearn, match="not_judged"):
        build({"type": "self_rewarding"})


def test_the_first_set_of_a_judge_has_critiques_and_right_solutions(pool, criticise, build):
    criticise([("c0", "b", "p0", "one: wrong, add\nReview: wrong")])
    rows, _ = build({"type": "judge", "solutions_per_problem": 1})
    assert [(row["problem_id"], row["source_ids"]) for row in rows] == [
        ("p0", ["b", "c0"]),
        ("p0", ["a"]),
        ("p1", ["e"]),
    ]
    assert rows[0]["prompt"].endswith("Review:\n")
    assert rows[1]["completion"] == TEXTS["a"]
