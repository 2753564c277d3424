"""Chains of steps and critiques against texts written by hand."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from schemas.critique_formats import (
    CritiqueFormatConfig,
    LinesCritiqueConfig,
    StepwiseCritiqueConfig,
)
from schemas.rows import Critique, CritiqueStep, Step, Trajectory
from tasks.critics.reading import read_critique
from tasks.critiques.chains import Turn, Words, why_unfinished, write_chain, write_correction
from tasks.critiques.talk import collect_turns
from tasks.critiques.voices import quote, say_in_world
from tasks.graders import extract_answer


@pytest.fixture
def make_turn(make_trajectory: Callable[..., Trajectory]) -> Callable[..., Turn]:
    """A solution with its critique; a revision where it follows a critique."""

    def make(
        name: str,
        text: str,
        critique: str | None,
        *,
        after: Turn | None = None,
        form: CritiqueFormatConfig | None = None,
        **fields: object,
    ) -> Turn:
        steps = tuple(Step(text=t, num_tokens=1) for t in text.splitlines(keepends=True))
        parent = {}
        if after is not None:
            assert after.critique is not None
            parent = {
                "parent_id": after.solution.trajectory_id,
                "critique_id": after.critique.critique_id,
                "role": "revision",
            }
        solution = make_trajectory(
            name,
            steps=steps,
            answer=text.rpartition(": ")[2],
            generated_tokens=10,
            **{**parent, **fields},
        )
        if critique is None:
            return Turn(solution, None)
        read = read_critique(critique, len(steps), form or LinesCritiqueConfig())
        return Turn(
            solution,
            Critique(
                critique_id=f"c-{name}",
                trajectory_id=name,
                problem_id="p0",
                critic="critic-0",
                told="nothing",
                sample_index=0,
                status="finished",
                fault=read.fault,
                text=critique,
                steps=read.steps,
                first_error=read.first_error,
                verdict=read.verdict,
                leaks=False,
                temperature=0.0,
                seed=0,
                generated_tokens=5,
                engine="test",
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
            ),
        )

    return make


FIRST = "Tuesday: [buys for] 36 + 9 = 45\nWednesday: [buys] 45 + 2 = 47\nAnswer: 47"
SECOND = "Wednesday: [buys] 36 + 2 = 38\nAnswer: 38"
UNREAD = "its critique cannot be read"
WORDS = Words("So the answer is right.", "So the answer is wrong.", "Let me try that again.")


def texts(segments):
    return [(each.type, each.text) for each in segments]


@pytest.fixture
def turns(make_turn):
    first = make_turn("s", FIRST, "Tuesday: [buys for] wrong, leave out\nReview: wrong")
    second = make_turn(
        "r", SECOND, "Wednesday: [buys] right\nAnswer: right\nReview: right", after=first
    )
    return [first, second]


def test_a_chain_drops_what_came_after_a_wrong_step_and_ends_with_its_answer(turns):
    assert texts(write_chain(turns, quote)) == [
        ("step", "Tuesday: [buys for] 36 + 9 = 45"),
        ("critique", "Tuesday: [buys for] wrong, leave out"),
        ("revision", "Wednesday: [buys] 36 + 2 = 38"),
        ("critique", "Wednesday: [buys] right"),
        ("revision", "Answer: 38"),
        ("critique", "Answer: right"),
        ("revision", "Answer: 38"),
    ]


def test_a_solution_without_error_is_told_with_a_critique_of_every_step(make_turn):
    turn = make_turn("s", SECOND, "Wednesday: [buys] right\nAnswer: right\nReview: right")
    assert texts(write_chain([turn], quote)) == [
        ("step", "Wednesday: [buys] 36 + 2 = 38"),
        ("critique", "Wednesday: [buys] right"),
        ("step", "Answer: 38"),
        ("critique", "Answer: right"),
        ("step", "Answer: 38"),
    ]


def test_kept_steps_are_told_once_and_one_found_wrong_later_by_its_critique_alone(make_turn):
    """a, b | b wrong -> a, c | a wrong after all -> d, e."""
    first = make_turn("s", "a\nb\nAnswer: 1", "a right\nb wrong\nReview: wrong")
    second = make_turn("r", "a\nc\nAnswer: 2", "a wrong\nReview: wrong", after=first)
    third = make_turn("q", "d\nAnswer: 3", "d right\nAnswer: right\nReview: right", after=second)
    assert texts(write_chain([first, second, third], quote)) == [
        ("step", "a"),
        ("critique", "a right"),
        ("step", "b"),
        ("critique", "b wrong"),
        ("critique", "a wrong"),
        ("revision", "d"),
        ("critique", "d right"),
        ("revision", "Answer: 3"),
        ("critique", "Answer: right"),
        ("revision", "Answer: 3"),
    ]


def test_a_critique_of_all_steps_counts_up_to_the_first_wrong_one(make_turn):
    form = StepwiseCritiqueConfig(judges="all")

    def judged(number, word):
        return f"Step {number}: x\nCorrectness: {word}\nExplanation: e"

    said = "\n".join([judged(1, "wrong"), judged(2, "wrong"), "Conclusion: wrong"])
    right = "\n".join([judged(1, "correct"), judged(2, "correct"), "Conclusion: correct"])
    first = make_turn("s", "a\nAnswer: 1", said, form=form)
    second = make_turn("r", "b\nAnswer: 2", right, after=first, form=form)
    assert [
        text for kind, text in texts(write_chain([first, second], quote)) if kind != "critique"
    ] == [
        "a",
        "b",
        "Answer: 2",
        "Answer: 2",
    ]


def test_a_correction_has_whole_attempts_and_bare_verdicts(turns):
    assert texts(write_correction(turns, WORDS)) == [
        *(("step", step) for step in FIRST.splitlines()),
        ("critique", WORDS.wrong),
        ("critique", WORDS.again),
        *(("revision", step) for step in SECOND.splitlines()),
        ("critique", WORDS.right),
        ("revision", "Answer: 38"),
    ]


@pytest.mark.parametrize("say", [quote, say_in_world])
def test_the_last_answer_of_a_talk_is_the_one_that_a_grader_reads(turns, say):
    text = "\n".join(each.text for each in write_chain(turns, say))
    assert extract_answer(text) == "38"
    correction = "\n".join(each.text for each in write_correction(turns, WORDS))
    assert extract_answer(correction) == "38"


def test_the_world_speaks_in_the_first_person_and_refuses_what_is_no_review():
    said = say_in_world(CritiqueStep(verdict="wrong", text="Tuesday: [buys for] wrong, leave out"))
    assert said == "Tuesday: [buys for] Wait, that is wrong: I should leave it out."
    with pytest.raises(ValueError, match="expected a line of a review of the built-in world"):
        say_in_world(CritiqueStep(verdict="wrong", text="This seems wrong to me."))


def test_turns_follow_the_critiques_from_each_solution(turns, make_turn):
    other = make_turn("o", "a\nAnswer: 1", None)
    rows = [other.solution, *(turn.solution for turn in turns)]
    critiques = [turn.critique for turn in turns]
    (found,) = collect_turns(rows, critiques)  # `other` was not critiqued
    assert found == turns


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Wednesday: [buys] right\nAnswer: right\nReview: right", None),
        (
            "Wednesday: [buys] right\nAnswer: right",
            f"{UNREAD}: it has no verdict",
        ),
        (
            "Wednesday: [buys] right\nReview: right",
            f"{UNREAD}: it judges 1 steps of 2",
        ),
        ("Answer: 38", f"{UNREAD}: it judges no step"),
        ("Wednesday: [buys] wrong\nReview: wrong", "an error is left after 3 rounds"),
    ],
)
def test_a_chain_without_a_last_critique_that_finds_no_error_is_given_up(make_turn, said, reason):
    assert why_unfinished([make_turn("s", SECOND, said)], 3) == reason


def test_a_revision_that_was_cut_ends_a_chain(turns, make_turn):
    cut = make_turn("r", "Wednesday", None, after=turns[0], status="truncated")
    assert why_unfinished([turns[0], cut], 3) == "its revision has the status truncated"
