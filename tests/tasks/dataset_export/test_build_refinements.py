"""Sets from second attempts: which count, and after which prompts they stand."""

import pytest

WRONG = "1 and 2\n1 + 2 = 5\nAnswer: 5"
RIGHT = "1 and 2\n1 + 2 = 3\nAnswer: 3"
SECOND = "2 and 1\n2 + 1 = 3\nAnswer: 3"
FLAGS = "1 and 2 right\n1 + 2 wrong\nReview: wrong"


@pytest.fixture
def pool(fill):
    return fill(
        {"p0": {}, "p1": {}},
        [
            ("w0", "p0", WRONG, False),
            ("r0", "p0", RIGHT, True),
            ("w1", "p1", WRONG, False),
        ],
    )


def told(rows):
    return [(row["prompt"], row["completion"]) for row in rows]


def test_a_second_attempt_follows_the_question(pool, criticise, build):
    attempts = [
        ("a0", "c0", "w0", "p0", SECOND, True),
        ("a1", "c0", "w0", "p0", WRONG, False),
        ("retry", None, "w1", "p1", SECOND, True),
    ]
    criticise([("c0", "w0", "p0", FLAGS)], attempts, num_steps=3)
    rows, _ = build({"type": "refinement"})
    assert told(rows) == [("What is p0?\n", SECOND)]
    assert rows[0]["source_ids"] == ["a0", "w0", "c0"]


def test_switches_add_first_attempts_and_prompts_with_the_critique(pool, criticise, build):
    criticise(
        [("c0", "w0", "p0", FLAGS), ("c1", "w1", "p1", FLAGS)],
        [("a0", "c0", "w0", "p0", SECOND, True), ("a1", "c1", "w1", "p1", SECOND, True)],
        num_steps=3,
    )
    rows, _ = build({"type": "refinement", "with_critique": True, "with_samples": True})
    asked = f"\n{WRONG}\nReview:\n{FLAGS}\nAgain:\n"
    assert told(rows) == [
        ("What is p0?\n", RIGHT),
        ("What is p0?\n", SECOND),
        (f"What is p0?{asked}", SECOND),
        ("What is p1?\n", SECOND),
        (f"What is p1?{asked}", SECOND),
    ]
    rows, _ = build({"type": "refinement", "with_samples": True, "per_problem": 1})
    assert told(rows) == [("What is p0?\n", RIGHT), ("What is p1?\n", SECOND)]


def test_a_second_attempt_equal_to_a_first_one_adds_only_its_critique(pool, criticise, build):
    criticise([("c0", "w0", "p0", FLAGS)], [("a0", "c0", "w0", "p0", RIGHT, True)], num_steps=3)
    rows, _ = build({"type": "refinement", "with_critique": True, "with_samples": True})
    assert [row["reason"] for row in rows] == [
        "right first attempt",
        "right after a critique of a wrong attempt",
    ]


def test_shortcuts_are_left_out(fill, criticise, build):
    """Numbers: worked solution 6, first attempt 6; so a second attempt needs at least 4."""
    fill(
        {"p0": {"solution": "1 2 3 4 5 6"}, "p1": {}},
        [("w0", "p0", WRONG, False), ("w1", "p1", WRONG, False)],
    )
    texts = ["Answer: 3", "1 2\nAnswer: 3", "1 2 3\nAnswer: 3"]
    criticise(
        [("c0", "w0", "p0", FLAGS), ("c1", "w1", "p1", FLAGS)],
        [(f"a{n}", "c0", "w0", "p0", text, True) for n, text in enumerate(texts)]
        + [(f"b{n}", "c1", "w1", "p1", text, True) for n, text in enumerate(texts)],
        num_steps=3,
    )
    for slack, kept in ((2, ["a2", "b2"]), (3, ["a1", "a2", "b1", "b2"]), (None, 6)):
        rows, built = build({"type": "refinement", "shortcut_slack": slack})
        found = sorted(row["source_ids"][0] for row in rows)
        assert (len(found) if kept == 6 else found) == kept
        assert built.facts["counts"]["left_out"]["rows"].get("shortcut", 0) == 6 - len(found)


def test_right_solutions_of_the_problem_stand_in_for_a_worked_one(fill, criticise, build):
    fill(
        {"p0": {}},
        [("w0", "p0", WRONG, False), ("r0", "p0", "1 2\nAnswer: 3", True)],
    )
    criticise(
        [("c0", "w0", "p0", FLAGS)], [("a0", "c0", "w0", "p0", "So\nAnswer: 3", True)], num_steps=3
    )
    rows, _ = build({"type": "refinement"})
    assert told(rows) == [("What is p0?\n", "So\nAnswer: 3")]


def test_critiques_that_miss_the_error_teach_no_reading(pool, criticise, build):
    passes = "1 right\n1 right\nAnswer: right\nReview: right"
    criticise(
        [("c0", "w0", "p0", passes), ("c1", "w1", "p1", "wrong")],
        [("a0", "c0", "w0", "p0", SECOND, True), ("a1", "c1", "w1", "p1", SECOND, True)],
        num_steps=3,
    )
    rows, built = build({"type": "refinement", "with_critique": True})
    assert [row["reason"] for row in rows] == ["right second attempt"] * 2
    assert built.facts["counts"]["left_out"]["rows"] == {"critique_without_the_error": 2}


def test_cut_and_leaked_second_attempts_are_not_learned(pool, criticise, build):
    criticise(
        [("c0", "w0", "p0", FLAGS)],
        [("a0", "c0", "w0", "p0", SECOND, True)],
        num_steps=3,
        attempt_fields={"status": "truncated"},
    )
    criticise(
        [("c1", "w0", "p0", FLAGS)],
        [("a1", "c1", "w0", "p0", SECOND, True)],
        num_steps=3,
        name="train.00000-0000000000000001",
        leaks=True,
    )
    criticise(
        [("c2", "w1", "p1", FLAGS)],
        [("a2", "c2", "w1", "p1", SECOND, True)],
        num_steps=3,
        name="train.00000-0000000000000002",
    )
    rows, built = build({"type": "refinement"})
    assert [row["source_ids"] for row in rows] == [["a2", "w1", "c2"]]
    assert built.facts["counts"]["left_out"]["critiques"] == {"leaks_answer": 1}


def test_only_the_chosen_actors_count(pool, criticise, build):
    criticise([("c0", "w0", "p0", FLAGS)], [("a0", "c0", "w0", "p0", SECOND, True)], num_steps=3)
    rows, _ = build({"type": "refinement", "actors": ["policy-0"]})
    assert len(rows) == 1
    with pytest.raises(ValueError, match="got 0 second attempts with 1 critiques"):
        build({"type": "refinement", "actors": ["policy-1"]})
