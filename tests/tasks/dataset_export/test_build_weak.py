"""Weak-to-strong sets: a weak verifier's labels, and worked solutions."""

import pytest

PROBLEMS = {
    "p": {"answer": "4", "level": 1, "solution": "It is 4.\n#### 4"},
    "q": {"answer": "7", "level": 3, "solution": None},
}
SOLUTIONS = [
    ("r", "p", "two\nand two\nAnswer: 4", True),
    ("w", "p", "two\nAnswer: 6", False),
    ("u", "q", "no idea\nAnswer: 8", None),
    ("n", "q", "sum\nAnswer: 7", True),
]
SCORES = {"r": (0.9, 0.5, 0.2), "w": (0.6, 0.8), "u": (0.1,)}


@pytest.fixture
def pool(fill):
    return fill(PROBLEMS, SOLUTIONS, scores=SCORES)


def test_labels_are_the_weak_verifiers_scores_and_no_grade_is_told(pool, build):
    rows, built = build({"type": "weak_labels"})
    found = {row["source_ids"][0]: row for row in rows}
    assert set(found) == {"r", "w", "u"}
    assert found["r"]["soft"] == [0.9, 0.5, 0.2]
    assert found["r"]["labels"] == [True, True, False]
    assert found["w"]["completions"] == ["two", "Answer: 6"]
    assert found["w"]["labels"] == [True, True]
    assert {row["correct"] for row in rows} == {None}
    assert {row["reason"] for row in rows} == {"scores by prm"}
    assert built.facts["verifier"] == "prm"
    assert built.facts["form"] == "stepwise"


def test_one_score_of_a_whole_solution_labels_its_last_step(pool, build):
    (row,) = (r for r in build({"type": "weak_labels"})[0] if r["source_ids"] == ["u"])
    assert (row["labels"], row["soft"]) == ([None, False], [None, 0.1])


def test_the_threshold_of_hard_labels_and_the_number_per_problem(pool, build):
    rows, _ = build({"type": "weak_labels", "hard_threshold": 0.7, "per_problem": 1})
    assert sorted(row["problem_id"] for row in rows) == ["p", "q"]
    expected = {"r": [True, False, False], "w": [False, True], "u": [None, False]}
    assert all(row["labels"] == expected[row["source_ids"][0]] for row in rows)


def test_worked_solutions_alone(pool, build):
    rows, built = build({"type": "worked"})
    assert [(row["problem_id"], row["completion"]) for row in rows] == [("p", "It is 4.\n#### 4")]
    assert rows[0]["source_ids"] == []
    assert built.facts["form"] == "prompt_completion"


def test_worked_solutions_need_no_samples(fill, build):
    fill(PROBLEMS)
    assert len(build({"type": "worked"})[0]) == 1


def test_no_worked_solutions(fill, build):
    fill({"q": PROBLEMS["q"]}, SOLUTIONS[2:])
    with pytest.raises(ValueError, match="worked: expected problems with worked solutions in"):
        build({"type": "worked"})


def test_scores_of_a_named_weak_verifier_alone(pool, build):
    with pytest.raises(ValueError, match="scores by 'small' of the set train of run run, got prm"):
        build({"type": "weak_labels"}, source={"verifier": "small"})
