"""Reverse curricula, step labels, revision chains, stitched traces, easy-to-hard splits."""

import random
from collections import Counter

import numpy as np
import pytest

from schemas.dataset_export.state_builders import ReverseCurriculumConfig
from tasks.dataset_export.builders.reverse_curriculum import cut_points
from tasks.dataset_export.builders.revisions import choose_attempts
from tasks.dataset_export.solved import Solution
from tasks.dataset_export.write import choose_rows

RIGHT = "one\ntwo\nsix\nAnswer: 4"


@pytest.mark.parametrize(
    ("num_steps", "num_stages", "expected"),
    [
        (5, 5, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]),
        (3, 5, [(1, 1), (2, 3), (3, 5)]),
        (2, 4, [(1, 2), (2, 4)]),
        (1, 3, [(1, 3)]),
        (10, 4, [(3, 1), (5, 2), (8, 3), (10, 4)]),
    ],
)
def test_stages_leave_their_share_of_the_steps_to_go(num_steps, num_stages, expected):
    assert cut_points(num_steps, ReverseCurriculumConfig(num_stages=num_stages)) == expected


def test_one_stage_is_cut_from_every_solution():
    config = ReverseCurriculumConfig(num_stages=5, mode="staged", stage=2)
    assert [cut_points(k, config) for k in (1, 3, 10)] == [[(1, 2)], [(2, 2)], [(4, 2)]]


def test_a_state_is_the_question_and_the_first_steps(fill, build):
    fill(
        {"p": {"answer": "4", "level": 2}},
        [("t", "p", RIGHT, True), ("w", "p", "Answer: 5", False)],
    )
    rows, built = build({"type": "reverse_curriculum", "num_stages": 4})
    assert [(row["stage"], row["steps_to_go"], row["prefix"]) for row in rows] == [
        (1, 1, "one\ntwo\nsix\n"),
        (2, 2, "one\ntwo\n"),
        (3, 3, "one\n"),
        (4, 4, ""),
    ]
    assert {(row["prompt"], row["answer"], row["source_ids"][0]) for row in rows} == {
        ("What is p?\n", "4", "t")
    }
    assert built.facts["counts"]["by_steps_to_go"] == {"1": 1, "2": 1, "3": 1, "4": 1}


def test_a_prefix_that_says_the_answer_is_no_state(fill, build):
    fill({"p": {"answer": "4"}}, [("t", "p", "Answer: 4\nwhich was asked", True)])
    rows, built = build({"type": "reverse_curriculum", "num_stages": 2})
    assert [row["stage"] for row in rows] == [2]
    assert built.facts["counts"]["left_out"]["rows"] == {"answer_in_prefix": 1}


def test_whole_problems_are_states_whether_they_were_solved_or_not(fill, build):
    fill(
        {"p": {"answer": "4", "level": 5}, "q": {"answer": "7"}, "r": {"answer": "8"}},
        [("t", "p", RIGHT, True), ("w", "q", "Answer: 5", False), ("u", "q", "Answer: 3", None)],
    )
    rows, built = build({"type": "whole_problems"})
    found = [(row["prompt"], row["prefix"], row["answer"], row["stage"]) for row in rows]
    assert sorted(found) == [("What is p?\n", "", "4", 1), ("What is q?\n", "", "7", 1)]
    assert built.facts["form"] == "prompt_only"
    hidden, _ = build({"type": "whole_problems", "gold": "hidden"})
    assert [row["answer"] for row in hidden] == ["", ""]
    assert {row["level"] for row in hidden} == {5, 1}


def test_shares_keep_easy_stages_from_flooding_a_set():
    stages = np.array([1] * 100 + [2] * 50 + [3] * 50)

    def count(shares, max_rows=None):
        kept = choose_rows(stages, shares=shares, max_rows=max_rows, seed=1)
        return [int((kept & (stages == s)).sum()) for s in (1, 2, 3)]

    assert count(None) == [100, 50, 50]
    assert count((1, 1, 1)) == [50, 50, 50]
    assert count((1, 1, 2)) == [25, 25, 50]
    assert count((0, 1, 1)) == [0, 50, 50]
    assert sum(count((1, 1, 2), max_rows=10)) == 10


def test_a_stage_without_rows_leaves_the_others_their_relation():
    stages = np.array([1] * 10 + [3] * 10)
    kept = choose_rows(stages, shares=(1, 1, 2), max_rows=None, seed=1)
    assert int((kept & (stages == 1)).sum()) == 5
    assert int(kept.sum()) == 15


def test_shares_hold_in_a_set(fill, build):
    problems = {f"p{i}": {"answer": "4"} for i in range(6)}
    fill(problems, [(f"t{i}", f"p{i}", RIGHT, True) for i in range(6)])
    config = {"type": "reverse_curriculum", "num_stages": 2, "shares": [1, 3]}
    assert Counter(row["stage"] for row in build(config)[0]) == {1: 2, 2: 6}


def test_steps_have_their_labels_up_to_the_first_without_one(fill, build):
    text = "a1\na2\na3\nAnswer: 4"
    labels = {"t": [True, False, None, True], "u": [None, True], "v": [True, True, False, False]}
    solutions = [(name, "p", text.replace("a", name), None) for name in labels]
    fill({"p": {}}, solutions, labels=labels)
    rows, built = build({"type": "stepwise"})
    found = {row["source_ids"][0]: row for row in rows}
    assert found["t"]["completions"] == ["t1", "t2"]
    assert found["t"]["labels"] == [True, False]
    assert found["v"]["labels"] == [True, True, False, False]
    assert set(found) == {"t", "v"}
    assert built.facts["method"] == "mc"
    assert built.facts["counts"]["steps_by_label"] == {"right": 3, "wrong": 3}
    cut, _ = build({"type": "stepwise", "after_first_error": "drop"})
    assert sorted(row["labels"] for row in cut) == [[True, False], [True, True, False]]


def test_two_labels_of_one_step_are_refused(fill, build, store, unit_of):
    fill({"p": {}}, [("t", "p", RIGHT, True)], labels={"t": [True]})
    (label,) = store.read("step_labels/run_id=run/stage=step_labels/train.00000.parquet")
    store.commit(unit_of("step_labels", name="again", stage="step_labels"), [label])
    with pytest.raises(ValueError, match="trajectory t: expected at most one label"):
        build({"type": "stepwise"})


WRONG = [
    "two and two\nAnswer: 5",
    "three and two\nAnswer: 5",
    "nothing\nAnswer: 0",
    "2 + 2\nAnswer: 6",
]


def make(name, text, correct):
    return Solution(name, [text], correct, None, None)


def test_the_last_attempt_is_the_nearest_wrong_one():
    right = make("r", "two and two\nAnswer: 4", True)
    wrong = [make(f"w{i}", text, False) for i, text in enumerate(WRONG)]
    for num in (1, 2, 3, 4):
        attempts, distance = choose_attempts(right, wrong, num, random.Random(num))
        assert attempts[-1].trajectory_id == "w0"
        assert distance == 1
        assert len({attempt.trajectory_id for attempt in attempts}) == num
    assert choose_attempts(right, wrong, 0, random.Random(0)) == ([], None)


@pytest.fixture
def attempts(fill):
    problems = {f"p{i}": {"answer": "4"} for i in range(40)}
    solutions = [(f"r{i}", f"p{i}", "two and two\nAnswer: 4", True) for i in range(40)]
    solutions += [
        (f"w{i}-{k}", f"p{i}", text, False) for i in range(40) for k, text in enumerate(WRONG)
    ]
    return fill(problems, solutions)


def test_chains_hold_none_to_four_wrong_attempts_in_the_prompt(attempts, build):
    rows, _ = build({"type": "revisions"})
    lengths = Counter(len(row["source_ids"]) - 1 for row in rows)
    assert set(lengths) == {0, 1, 2, 3, 4}
    assert {row["completion"] for row in rows} == {"two and two\nAnswer: 4"}
    for row in rows:
        number = row["problem_id"][1:]
        if len(row["source_ids"]) == 1:
            assert row["prompt"] == f"What is p{number}?\n"
        else:
            assert row["source_ids"][-2:] == [f"w{number}-0", f"r{number}"]
            assert row["prompt"].startswith(f"What is p{number}?\n\nEarlier attempts")
            assert row["prompt"].endswith(f"{WRONG[0]}\n\nA better attempt:\n\n")
            assert row["reason"].endswith("the last at edit distance 1")


def test_traces_hold_wrong_attempts_and_then_the_right_one(attempts, build):
    rows, _ = build({"type": "stitched", "most_wrong": 4})
    assert set(Counter(len(row["source_ids"]) for row in rows)) == {2, 3, 4, 5}
    whole = next(row for row in rows if len(row["source_ids"]) == 5)
    order = [WRONG[2], WRONG[3], WRONG[1], WRONG[0]]  # 13, 10, 5 and 1 edits away
    assert whole["completion"] == "\n".join([*order, "two and two\nAnswer: 4"])
    assert whole["prompt"] == f"What is {whole['problem_id']}?\n"


def test_parts_are_told_apart_by_level(fill, build):
    problems = {f"p{level}": {"level": level or None} for level in range(6)}
    solutions = [(f"t{level}", f"p{level}", RIGHT, True) for level in range(6)]
    fill(problems, solutions, labels={f"t{level}": [True] for level in range(6)})

    def levels(**fields):
        rows, built = build({"type": "easy_to_hard", **fields})
        return sorted(row["level"] for row in rows), built.facts["form"]

    assert levels() == ([1, 2, 3], "prompt_completion")
    assert levels(part="hard") == ([4, 5], "prompt_completion")
    assert levels(part="all", easy_levels=[1]) == ([1, 2, 3, 4, 5], "prompt_completion")
    assert levels(target="verifier", easy_levels=[5]) == ([5], "stepwise")
