"""Rows of RISE: first attempts, and weighted second ones."""

import pytest

WRONG = "1 and 2\n1 + 2 = 5\nAnswer: 5"
RIGHT = "1 and 2\n1 + 2 = 3\nAnswer: 3"
OTHER = "1 and 2\n1 + 2 = 4\nAnswer: 4"
AGAIN = {"template": "{question}\n{attempts}\nAgain:", "joiner": "\nAgain:\n"}


@pytest.fixture
def pool(fill, criticise):
    fill(
        {"p0": {}, "p1": {}, "p2": {}},
        [
            ("w0", "p0", WRONG, False),
            ("w1", "p1", WRONG, False),
            ("r2", "p2", RIGHT, True),
        ],
    )
    attempts = [
        ("a0", None, "w0", "p0", OTHER, False),
        ("a1", None, "w0", "p0", RIGHT, True),
        ("a2", None, "w1", "p1", OTHER, False),
    ]
    criticise([("c0", "w0", "p0", ""), ("c1", "w1", "p1", "")], attempts, num_steps=3)


def rows_of(build, **fields):
    rows, _ = build({"type": "rise", **AGAIN, **fields})
    return {row["source_ids"][0]: row for row in rows}


@pytest.mark.parametrize(
    ("criteria", "kept"),
    [
        ("all", {"w0", "w1", "r2", "a1", "a2"}),
        ("best", {"w0", "w1", "r2", "a1", "a2"}),
        ("better", {"w0", "w1", "r2", "a1"}),
        ("success", {"r2", "a1"}),
    ],
)
def test_criteria_choose_among_the_best_second_attempts(pool, build, criteria, kept):
    assert set(rows_of(build, criteria=criteria)) == kept


def test_the_best_second_attempt_is_learned_after_the_first_one(pool, build):
    rows = rows_of(build)
    assert rows["a1"]["prompt"] == f"What is p0?\n{WRONG}\nAgain:\n"
    assert rows["a1"]["completion"] == RIGHT
    assert rows["a1"]["source_ids"] == ["a1", "w0"]
    assert rows["a1"]["weight"] == pytest.approx(12.1825, abs=1e-4)
    assert rows["w0"]["prompt"] == "What is p0?\n"
    assert rows["w0"]["weight"] == 1.0


def test_weights_are_exponentials_of_rewards(pool, build):
    assert rows_of(build, criteria="all")["a2"]["weight"] == 1.0
    assert rows_of(build, temperature=1.0)["a1"]["weight"] == pytest.approx(2.718282)


def test_an_attempt_without_an_answer_is_worth_less_than_a_wrong_one(fill, criticise, build):
    fill({"p0": {}}, [("w0", "p0", WRONG, False)])
    attempts = [("a0", None, "w0", "p0", "1 and 2\nno idea", False)]
    criticise([("c0", "w0", "p0", "")], attempts, num_steps=3, attempt_fields={"answer": None})
    rows = rows_of(build, criteria="all")
    assert rows["a0"]["weight"] == pytest.approx(0.0821, abs=1e-4)
    assert "a0" not in rows_of(build, criteria="best")


def test_an_attempt_that_could_not_be_graded_is_not_a_wrong_one(fill, criticise, build):
    fill({"p0": {}, "p1": {}}, [("w0", "p0", WRONG, False), ("u1", "p1", WRONG, None)])
    attempts = [
        ("a0", None, "w0", "p0", OTHER, None),
        ("a1", None, "u1", "p1", RIGHT, True),
    ]
    criticise([("c0", "w0", "p0", ""), ("c1", "u1", "p1", "")], attempts, num_steps=3)
    assert set(rows_of(build, criteria="all")) == {"w0", "u1"}
