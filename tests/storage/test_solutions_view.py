"""The view `solutions`: each solution once, with the problem of its own run."""

import pytest

from schemas.rows import Step
from storage import connect, query


@pytest.fixture
def two_runs(store, unit_of, make_problem, make_trajectory):
    """Two runs over the same problem, one of which has it in two sets, and another question."""
    steps = (
        Step(text="one\n", num_tokens=2, logprob=-0.5),
        Step(text="two", num_tokens=1, logprob=-0.25),
    )
    bare = (Step(text="one\n", num_tokens=2, logprob=-0.5), Step(text="two", num_tokens=1))
    for run, given in (("r1", steps), ("r2", bare)):
        problem = make_problem("p0", question=f"asked by {run}?", answer="4", level=3)
        for name in ("train", "eval"):
            store.commit(unit_of("problems", name, run_id=run), [problem])
        rows = [
            make_trajectory("t0", problem_id="p0", steps=given, answer="4", correct=True),
            make_trajectory("t1", problem_id="p0", status="error", error="no room", steps=()),
            make_trajectory("t2", problem_id="lost", answer="5", correct=False),
            make_trajectory("t3", problem_id="p0", role="rollout", parent_id="t0", branch_step=1),
        ]
        store.commit(unit_of("trajectories", run_id=run), rows)
    return connect(store.root)


def test_shared_problems_double_no_solution(two_runs):
    found = query(two_runs, "select run_id, trajectory_id from solutions order by all").fetchall()
    assert found == [(run, f"t{i}") for run in ("r1", "r2") for i in range(3)]


def test_a_solution_has_the_question_of_its_own_run_and_its_figures(two_runs):
    found = query(
        two_runs,
        "select run_id, question, gold, level, text, num_steps, logprob, is_right from solutions "
        "where trajectory_id = 't0' order by run_id",
    ).fetchall()
    assert found == [
        ("r1", "asked by r1?", "4", 3, "one\ntwo", 2, -0.75, True),
        ("r2", "asked by r2?", "4", 3, "one\ntwo", 2, None, True),
    ]


def test_errors_and_lost_problems_stay_rows(two_runs):
    found = query(
        two_runs,
        "select trajectory_id, question, is_right, num_steps from solutions "
        "where run_id = 'r1' and trajectory_id <> 't0' order by trajectory_id",
    ).fetchall()
    assert found[0][0] == "t1"
    assert found[0][3] == 0
    assert found[1][:3] == ("t2", None, False)


def test_later_verdicts_count(two_runs, store, unit_of):
    from schemas.rows import Verdict, now

    verdict = Verdict(
        trajectory_id="t0", grader="later", answer="4", correct=False, created_at=now()
    )
    store.commit(unit_of("verdicts", run_id="r1"), [verdict])
    found = query(
        connect(store.root),
        "select run_id, is_right, grader from solutions where trajectory_id = 't0' order by run_id",
    ).fetchall()
    assert [(run, right) for run, right, _ in found] == [("r1", False), ("r2", True)]
    assert found[0][2] == "later"
