"""Accuracy before and after second attempts, counted by hand."""

from datetime import UTC, datetime

import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import Critique
from tasks.evaluation.critiqued import second_attempt_rows


def critique_of(trajectory):
    return Critique(
        critique_id=f"c-{trajectory.trajectory_id}",
        trajectory_id=trajectory.trajectory_id,
        problem_id=trajectory.problem_id,
        critic="critic",
        told="nothing",
        sample_index=0,
        status="finished",
        text="Review: wrong",
        steps=(),
        leaks=False,
        temperature=0.0,
        seed=0,
        engine="test",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def figures(make_problem, make_trajectory):
    problems = [make_problem("p0", level=1), make_problem("p1", level=2)]
    solutions = [
        make_trajectory("a", problem_id="p0", correct=True),
        make_trajectory("b", problem_id="p0", correct=False),
        make_trajectory("c", problem_id="p1", correct=False),
        make_trajectory("d", problem_id="p1", correct=True),  # not critiqued
    ]

    def try_again(name, parent, correct, *, with_critique=True):
        return make_trajectory(
            name,
            problem_id=parent.problem_id,
            parent_id=parent.trajectory_id,
            role="refinement",
            critique_id=f"c-{parent.trajectory_id}" if with_critique else None,
            correct=correct,
        )

    a, b, c, _ = solutions
    refinements = [
        try_again("a1", a, False),
        try_again("b1", b, True),
        try_again("b2", b, False),
        try_again("b3", b, None),  # could not be graded
        try_again("c1", c, True, with_critique=False),  # a control
    ]
    rows = second_attempt_rows(
        "critique",
        "2",
        "p",
        problems=problems,
        solutions=solutions,
        critiques=[critique_of(each) for each in (a, b, c)],
        refinements=refinements,
        config=EvaluationConfig(num_bootstrap=20),
    )
    return {(row.metric, row.bin): row for row in rows}


def test_only_critiqued_solutions_count_and_one_without_second_attempts_is_itself(figures):
    values = {key: row.value for key, row in figures.items()}
    assert values == {
        ("unrefined", "round=2"): pytest.approx((0.5 + 0.0) / 2),
        ("refined", "round=2"): pytest.approx((0.25 + 0.0) / 2),
        ("unrefined", "round=2,level=1"): 0.5,
        ("refined", "round=2,level=1"): 0.25,
        ("unrefined", "round=2,level=2"): 0.0,
        ("refined", "round=2,level=2"): 0.0,
    }
    assert {row.arm for row in figures.values()} == {"critique"}


def test_without_critiques_there_is_no_figure():
    config = EvaluationConfig(num_bootstrap=20)
    rows = second_attempt_rows(
        "a", "0", "p", problems=[], solutions=[], critiques=[], refinements=[], config=config
    )
    assert rows == []
