import asyncio

import pytest

from schemas.graders import ExactGraderConfig
from schemas.imports import ImportsJob
from schemas.units import Unit
from tasks.graders import make_grader
from tasks.imports.grade import UNSCORED, collect_scores, grade_rows
from tasks.imports.read import ImportedRow

UNIT = Unit(run_id="r", stage="imports", name="eval.i00000", table="trajectories")
JOB = ImportsJob.from_partial({"path": "solved.jsonl", "verifier": "judge"})


@pytest.fixture
def rows(make_problem):
    return [
        ImportedRow(
            problem=make_problem("p0", answer="4"),
            responses=("2 + 2\nAnswer: 4", "Answer: 5", "I do not know", ""),
            scores=((0.5, 0.75), (0.25,), None, (0.0,)),
        )
    ]


def test_responses_become_graded_trajectories(rows):
    graded = asyncio.run(grade_rows(rows, UNIT, JOB, make_grader(ExactGraderConfig())))
    assert [(t.sample_index, t.answer, t.correct) for t in graded] == [
        (0, "4", True),
        (1, "5", False),
        (2, None, False),
        (3, None, False),
    ]
    first, last = graded[0], graded[3]
    assert [step.text for step in first.steps] == ["2 + 2\n", "Answer: 4"]
    assert last.steps == ()
    assert (first.policy, first.strategy, first.engine) == ("solved", "imported", "import")
    assert (first.top_p, first.generated_tokens, first.logprob) == (0.0, 0, None)
    assert len({t.trajectory_id for t in graded}) == 4


def test_scores_hang_on_the_same_trajectories(rows):
    graded = asyncio.run(grade_rows(rows, UNIT, JOB, make_grader(ExactGraderConfig())))
    scored = collect_scores(rows, UNIT, JOB)
    assert [s.trajectory_id for s in scored] == [t.trajectory_id for t in graded]
    assert [s.scores for s in scored] == [(0.5, 0.75), (0.25,), (), (0.0,)]
    assert [s.error for s in scored] == [None, None, UNSCORED, None]
    assert {s.verifier for s in scored} == {"judge"}
