"""Rules of hinted critiques: every one with an example that it rejects, and one that passes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from schemas.critique_formats import (
    CritiqueFormatConfig,
    LinesCritiqueConfig,
    StepwiseCritiqueConfig,
)
from schemas.rows import Critique
from tasks.critics.asking import ShownSolution
from tasks.critics.feedback import Rejected, approve, clean_feedback
from tasks.critics.reading import read_critique
from tasks.world.reviews import nod

LINES, ALL = LinesCritiqueConfig(), StepwiseCritiqueConfig(judges="all")
SOLUTION = ShownSolution(("Tuesday: [buys for] 36 + 9 = 45", "Answer: 45"))
QUESTION, GOLD = "Dan has 36 books. Dan buys 9 books for Ana. How many?", "27"


def criticise(text, form: CritiqueFormatConfig = LINES, **fields):
    read = read_critique(text, len(SOLUTION.steps), form)
    row = Critique(
        critique_id="c",
        trajectory_id="t",
        problem_id="p",
        critic="critic-0",
        told="solution",
        sample_index=0,
        status="finished",
        fault=read.fault,
        text=text,
        steps=read.steps,
        leaks=False,
        temperature=0.0,
        seed=0,
        engine="test",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return replace(row, **fields)


def clean(text, form: CritiqueFormatConfig = LINES, gold=GOLD, solution=SOLUTION, **options):
    return clean_feedback(criticise(text, form), solution, gold, QUESTION, form, **options)


def item(number, step, word, why):
    return f"Step {number}: {step}\nCorrectness: {word}\nExplanation: {why}"


WRONG = item(1, SOLUTION.steps[0], "wrong", "He gives them away.")


def test_a_fitting_critique_is_kept_and_surplus_items_are_cut():
    fitting = "Tuesday: [buys for] wrong, take away\nReview: wrong"
    assert clean(fitting) == fitting
    surplus = "Tuesday: [buys for] wrong, take away\nAnswer: wrong\nMore wrong\nReview: wrong"
    assert clean(surplus) == fitting


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Tuesday: [buys for] right\nAnswer: right\nReview: right", "finds no error"),
        ("", "finds no error"),
        ("Answer: 27", "finds no error"),
        ("Tuesday: [buys for] wrong, it is 27\nReview: wrong", "tells the answer"),
    ],
)
def test_critiques_in_lines_that_a_rule_rejects(text, reason):
    with pytest.raises(Rejected, match=reason):
        clean(text)


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([WRONG], "another number of items than steps"),
        ([WRONG, item(3, "Answer: 45", "wrong", "So it is not.")], "not numbered in order"),
        ([WRONG, item(2, "Answer: 46", "wrong", "So it is not.")], "not repeated word for word"),
    ],
)
def test_stepwise_critiques_must_number_and_repeat_every_step(items, reason):
    with pytest.raises(Rejected, match=reason):
        clean("\n".join([*items, "Conclusion: wrong"]), ALL)


def test_a_last_item_with_the_gold_answer_is_removed_and_may_be_demanded():
    last = item(2, "Answer: 45", "wrong", "The answer should be 27.")
    told = "\n".join([WRONG, last, "Conclusion: wrong"])
    assert clean(told, ALL) == f"{WRONG}\nConclusion: wrong"
    assert clean(told, ALL, demands_answer=True) == f"{WRONG}\nConclusion: wrong"
    silent = "\n".join([WRONG, item(2, "Answer: 45", "wrong", "No."), "Conclusion: wrong"])
    assert clean(silent, ALL) == silent
    with pytest.raises(Rejected, match="last item lacks the answer"):
        clean(silent, ALL, demands_answer=True)


def test_a_wrong_step_that_holds_the_gold_answer_is_no_error_to_learn_from():
    solution = ShownSolution(("Tuesday: [buys for] 36 - 9 = 27", "Answer: 45"))
    with pytest.raises(Rejected, match="last wrong step has the answer"):
        clean("Tuesday: [buys for] wrong, add\nReview: wrong", solution=solution)


@pytest.mark.parametrize(
    ("status", "reason"), [("truncated", "critique cut"), ("error", "no critique")]
)
def test_a_critique_without_an_end_is_rejected(status, reason):
    critique = criticise("Tuesday: [buys for] wrong\nReview: wrong", status=status)
    with pytest.raises(Rejected, match=reason):
        clean_feedback(critique, SOLUTION, GOLD, QUESTION, LINES)


def test_a_right_solution_is_approved_as_its_format_writes_and_reads_it():
    assert approve(LINES, SOLUTION) == "Tuesday: [buys for] right\nAnswer: right\nReview: right"
    assert approve(LINES, SOLUTION) == nod("\n".join(SOLUTION.steps)).text
    for form in (LINES, ALL):
        read = read_critique(approve(form, SOLUTION), 2, form)
        assert (read.fault, read.verdict, len(read.steps)) == (None, True, 2)


def test_a_step_without_a_label_is_approved_too():
    shown = ShownSolution(("We add 2 and 2.", "The answer is 4."))
    assert approve(LINES, shown) == "right\nright\nReview: right"
