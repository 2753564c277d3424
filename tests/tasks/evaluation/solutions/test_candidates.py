from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from schemas.rows import Problem, Step, StepScores, Trajectory
from tasks.evaluation.solutions.candidates import Candidates, build_candidates

PROBLEM = Problem(
    problem_id="p1",
    source="test",
    split="test",
    question="1 + 1?",
    answer="2",
    level=3,
    subject="a",
)
ROW = Trajectory(
    trajectory_id="t0",
    problem_id="p1",
    policy="policy",
    strategy="sample",
    sample_index=0,
    status="finished",
    steps=(
        Step(text="1 + 1 = 2\n", num_tokens=6, logprob=-0.5),
        Step(text="Answer: 2", num_tokens=3, logprob=-0.25),
    ),
    answer="2",
    correct=True,
    grader="exact",
    temperature=1.0,
    top_p=1.0,
    seed=0,
    prompt_tokens=5,
    cached_tokens=0,
    generated_tokens=9,
    engine="test",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
SCORE = StepScores(
    trajectory_id="t0", verifier="v", scores=(0.9, 0.7), scored_tokens=14, cached_tokens=0
)


class NumberClasses:
    """Equal numbers are equal answers."""

    comparable: ClassVar[bool] = True

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        return [None if answer is None else int(float(answer)) for answer in answers]

    def check_gold(self, problem: Problem) -> str | None:
        return None if problem.check is None else "expected a problem that is checked by its answer"


def build(problems=(PROBLEM,), rows=(ROW,), scores=(SCORE,)):
    return build_candidates(problems, rows, scores, NumberClasses())


def test_rows_become_parallel_lists_in_order_of_drawing():
    second = replace(ROW, trajectory_id="t1", sample_index=1, answer="2.0", generated_tokens=7)
    third = replace(ROW, trajectory_id="t2", sample_index=2, answer=None, correct=False)
    [problem] = build(rows=(third, second, ROW))
    assert problem == Candidates(
        problem_id="p1",
        level=3,
        subject="a",
        classes=(2, 2, None),
        correct=(True, True, False),
        status=("finished",) * 3,
        logprobs=(-0.75,) * 3,
        num_tokens=(9, 7, 9),
        scores=((0.9, 0.7), None, None),
        scored_tokens=(14, 0, 0),
        text_ids=(0, 0, 0),
        num_steps=(2, 2, 2),
    )


@pytest.mark.parametrize(
    ("status", "answer", "correct", "is_candidate"),
    [
        ("finished", "2", True, True),
        ("finished", None, False, True),
        ("finished", "2", None, False),
        ("truncated", None, None, True),
        ("truncated", None, False, True),
        ("truncated", "2", None, False),
        ("truncated", "2", True, True),
        ("pruned", "2", True, False),
        ("error", None, None, False),
    ],
)
def test_which_rows_are_candidates(status, answer, correct, is_candidate):
    [problem] = build(rows=(replace(ROW, status=status, answer=answer, correct=correct),))
    assert problem.usable() == ([0] if is_candidate else [])
    assert problem.num_drawn == 1


def test_a_problem_without_rows_stays_and_keeps_its_place():
    other = replace(PROBLEM, problem_id="p0")
    first, second = build(problems=(other, PROBLEM))
    assert (first.problem_id, first.num_drawn) == ("p0", 0)
    assert second.num_drawn == 1


def test_a_score_that_failed_is_no_score_but_its_tokens_count():
    [problem] = build(scores=(replace(SCORE, scores=(), error="too long"),))
    assert problem.scores == (None,)
    assert problem.scored_tokens == (14,)


def test_one_score_is_a_score_of_the_whole():
    [problem] = build(scores=(replace(SCORE, scores=(0.75,)),))
    assert problem.scores == ((0.75,),)


def test_bad_rows_are_named():
    with pytest.raises(ValueError, match="t0: expected 2 step scores or one of the whole, got 3"):
        build(scores=(replace(SCORE, scores=(0.5, 0.5, 0.5)),))
    with pytest.raises(ValueError, match="trajectory t0: expected once"):
        build(rows=(ROW, ROW))
    with pytest.raises(ValueError, match="trajectory t0: its problem p9"):
        build(rows=(replace(ROW, problem_id="p9"),))
    with pytest.raises(ValueError, match="distinct problems"):
        build(problems=(PROBLEM, PROBLEM))
    with pytest.raises(ValueError, match="one verifier, got u, v"):
        build(scores=(SCORE, replace(SCORE, trajectory_id="t1", verifier="u")))
    with pytest.raises(ValueError, match="distinct score rows"):
        build(scores=(SCORE, SCORE))
    with pytest.raises(ValueError, match="problem p1: expected 1 correct, got 2"):
        replace(build()[0], correct=(True, False))


def test_answers_of_a_problem_with_a_check_are_not_voted_on_by_a_grader_of_answers():
    theorem = replace(PROBLEM, check='{"statement": "1 + 1 = 2"}')
    assert [each.has_votes for each in build((PROBLEM,))] == [True]
    assert [each.has_votes for each in build((theorem,))] == [False]
