import asyncio
from datetime import UTC, datetime

import pytest

from schemas.graders import ExactGraderConfig
from schemas.rows import PROBLEMS, TRAJECTORIES, VERDICTS, Step, Verdict
from schemas.units import Unit
from tasks.regrading.regrade import Change, Regrader, count_changes


@pytest.fixture
def graded(store, unit_of, make_problem, make_trajectory):
    """A unit over five solutions of two problems, and the store they are in."""
    problems = unit_of(PROBLEMS.name, stage="problems")
    store.commit(problems, [make_problem("p0", answer="4"), make_problem("p1", answer="x")])
    solutions = unit_of(TRAJECTORIES.name)
    cut = (Step(text="2 + 2", num_tokens=3),)
    rows = [
        make_trajectory("right", correct=False),
        make_trajectory("other", problem_id="p1", correct=None),
        make_trajectory("cut", steps=cut, status="truncated", answer=None, correct=None),
        make_trajectory("silent", steps=cut, answer=None, correct=True),
        make_trajectory("failed", steps=(), status="error", answer=None, correct=None),
    ]
    store.commit(solutions, rows)
    unit = Unit(
        run_id="run",
        stage="regrading",
        name="u0-000-0123456789abcdef",
        table=VERDICTS.name,
        inputs=(solutions.path, problems.path),
    )
    return store, unit


def judge(store, unit):
    regrader = Regrader(store, ExactGraderConfig())
    return asyncio.run(regrader.judge(unit))


def test_each_text_is_judged_against_its_own_gold_answer(graded):
    found = [(row.trajectory_id, row.answer, row.correct) for row in judge(*graded)]
    assert found == [
        ("right", "4", True),
        ("other", "4", False),
        ("cut", None, None),  # its answer is unknown
        ("silent", None, False),
    ]


def test_changes_are_against_the_newest_verdict_before(graded, unit_of):
    store, unit = graded
    earlier = unit_of(VERDICTS.name, name="u0-000-fedcba9876543210", stage="regrading")
    before = Verdict(
        trajectory_id="other",
        grader="math",
        answer="4",
        correct=True,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    store.commit(earlier, [before])
    unit = Unit(
        run_id="run",
        stage="regrading",
        name="u0-001-0123456789abcdef",
        table=VERDICTS.name,
        inputs=(*unit.inputs, earlier.path),
    )
    store.commit(unit, judge(store, unit))
    assert count_changes(store, unit) == {
        Change("exact", False, "exact-2", True): 1,
        Change("math", True, "exact-2", False): 1,
        Change("exact", None, "exact-2", None): 1,
        Change("exact", True, "exact-2", False): 1,
    }


def test_another_grader_or_option_has_another_id(store):
    configs = (ExactGraderConfig(), ExactGraderConfig(ignore_case=True))
    assert len({Regrader(store, config).grader_id for config in configs}) == 2
