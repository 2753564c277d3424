"""SCORE's sets from hand-written solutions, critiques and second attempts."""

import pytest

from schemas.dataset_export.score_builders import ScoreConfig
from schemas.errors import NothingToLearn

WRONG_TEXT = "Tuesday: [buys] 2 + 3 = 5\nAnswer: 5"
RIGHT_TEXT = "Tuesday: [buys] 2 * 2 = 4\nAnswer: 4"
SAID = "Tuesday: [buys] wrong, multiply\nReview: wrong"
APPROVED = "Tuesday: [buys] right\nAnswer: right\nReview: right"
BUILDER = {"type": "score"}


@pytest.fixture
def pool(fill, criticise):
    """Two wrong solutions of `p0`, of which one is mended; one right one of `p1`."""
    fill(
        {"p0": {"question": "Two times two?"}, "p1": {"question": "And two and two?"}},
        [
            ("w0", "p0", WRONG_TEXT, False),
            ("w1", "p0", WRONG_TEXT.replace("5", "7"), False),
            ("r0", "p1", RIGHT_TEXT, True),
        ],
    )

    def criticised(critiques=((("c0", "w0", "p0", SAID), True), (("c1", "w1", "p0", SAID), False))):
        criticise(
            [critique for critique, _ in critiques],
            [
                (f"a-{c[0]}", c[0], c[1], c[2], RIGHT_TEXT if mended else WRONG_TEXT, mended)
                for c, mended in critiques
            ],
            told="solution",
        )

    return criticised


def test_a_completion_is_the_critique_and_then_the_correction(pool, build):
    pool()
    rows, built = build({**BUILDER, "right_share": None})
    by_source = {row["source_ids"][0]: row for row in rows}
    assert set(by_source) == {"w0", "r0"}
    mended = by_source["w0"]
    assert mended["prompt"] == f"Two times two?\n{WRONG_TEXT}\nReview:\n"
    assert mended["completion"] == f"{SAID}\nAgain:\n{RIGHT_TEXT}"
    assert mended["source_ids"] == ["w0", "c0", "a-c0"]
    assert mended["reason"] == "mended with a critique, told solution: 1 of 1 attempts right"
    right = by_source["r0"]
    assert right["prompt"] == f"And two and two?\n{RIGHT_TEXT}\nReview:\n"
    assert right["completion"] == f"{APPROVED}\nAgain:\n{RIGHT_TEXT}"
    assert built.facts["counts"]["left_out"]["critiques"] == {"critique_does_not_help": 1}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Tuesday: [buys] right\nAnswer: right\nReview: right", "critique_finds_no_error"),
        ("Tuesday: [buys] wrong, 4\nReview: wrong", "critique_tells_the_answer"),
        ("Answer: 4", "critique_finds_no_error"),
        ("", "critique_finds_no_error"),
        (
            "right\nright\nright\nwrong\nReview: wrong",
            "critique_has_another_number_of_items_than_steps",
        ),
    ],
)
def test_critiques_that_a_rule_rejects_are_counted_and_the_rest_goes_on(pool, build, said, reason):
    pool(((("c0", "w0", "p0", SAID), True), (("c1", "w1", "p0", said), True)))
    rows, built = build(BUILDER)
    assert [row["source_ids"][0] for row in rows if "c0" in row["source_ids"]] == ["w0"]
    assert built.facts["counts"]["left_out"]["critiques"] == {reason: 1}


def test_a_critique_is_read_without_a_verdict_line_too(pool, build):
    """The rules are about items; the verdict that a set is learned with is written by them."""
    pool(((("c0", "w0", "p0", "Tuesday: [buys] wrong, multiply"), True),))
    (row,) = [row for row in build(BUILDER)[0] if "c0" in row["source_ids"]]
    assert row["completion"].startswith(SAID)


def test_right_solutions_are_as_many_as_the_accuracy_says(fill, criticise, build):
    """Of 12 solutions 8 are right: with two mended rows there are four right ones."""
    fill(
        {f"p{n}": {"question": f"What is number {n}?"} for n in range(12)},
        [(f"w{n}", f"p{n}", WRONG_TEXT, False) for n in range(4)]
        + [(f"r{n}", f"p{n}", RIGHT_TEXT, True) for n in range(4, 12)],
    )
    criticise(
        [(f"c{n}", f"w{n}", f"p{n}", SAID) for n in range(4)],
        [(f"a{n}", f"c{n}", f"w{n}", f"p{n}", RIGHT_TEXT, n < 2) for n in range(4)],
        told="solution",
    )

    def num_right(share):
        rows, _ = build({**BUILDER, "right_share": share})
        return sum("c" not in row["source_ids"][-1] and len(row["source_ids"]) == 1 for row in rows)

    assert num_right("accuracy") == 4
    assert num_right(0.5) == 2
    assert num_right(0.0) == 0
    assert num_right(None) == 8


def test_right_solutions_that_wait_too_long_are_counted(fill, build, criticise, monkeypatch):
    monkeypatch.setattr("tasks.dataset_export.builders.score._MOST_WAITING", 2)
    fill(
        {f"p{number}": {} for number in range(6)},
        [
            *((f"r{number}", f"p{number}", RIGHT_TEXT, True) for number in range(5)),
            ("w0", "p5", WRONG_TEXT, False),
        ],
    )
    criticise(
        [("c0", "w0", "p5", SAID)], [("a0", "c0", "w0", "p5", RIGHT_TEXT, True)], told="solution"
    )
    rows, built = build({**BUILDER, "right_share": 0.5})
    assert [row["source_ids"][0] for row in rows] == ["w0", "r3"]
    assert built.facts["counts"]["left_out"]["rows"]["right_over_their_share"] == 4


def test_half_of_the_attempts_may_have_to_be_right(fill, criticise, build):
    fill({"p0": {}}, [("w0", "p0", WRONG_TEXT, False)])
    criticise(
        [("c0", "w0", "p0", SAID)],
        [
            ("a0", "c0", "w0", "p0", WRONG_TEXT, False),
            ("a1", "c0", "w0", "p0", RIGHT_TEXT, True),
        ],
        told="solution",
    )
    with pytest.raises(NothingToLearn):
        build(BUILDER)
    (row,), _ = build({**BUILDER, "min_solved": 0.5})
    assert row["source_ids"] == ["w0", "c0", "a1"]


def test_without_a_mended_solution_the_job_says_what_was_there(pool, build):
    pool(((("c0", "w0", "p0", SAID), False),))
    with pytest.raises(NothingToLearn, match="expected right second attempts after critiques"):
        build(BUILDER)


def test_the_joiner_is_that_of_the_format():
    assert ScoreConfig().written_joiner == "\nAgain:\n"
    stepwise = ScoreConfig.from_partial({"format": {"type": "stepwise"}})
    assert stepwise.written_joiner == "\n\nNew solution:\n\n"
    assert ScoreConfig(joiner=" -> ").written_joiner == " -> "


def test_outcomes_are_graded_solutions_without_step_labels(fill, build):
    fill(
        {"p0": {}},
        [("w0", "p0", WRONG_TEXT, False), ("r0", "p0", RIGHT_TEXT, True), ("u", "p0", "?", None)],
    )
    rows, _ = build({"type": "outcomes"})
    assert {row["source_ids"][0]: row["correct"] for row in rows} == {"w0": False, "r0": True}
    assert all(row["labels"] == [None, None] for row in rows)
    assert {row["reason"] for row in rows} == {"by its grade"}
