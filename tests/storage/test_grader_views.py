from datetime import UTC, datetime

import pytest

from schemas.rows import PROBLEMS, TRAJECTORIES, VERDICTS, MemberVerdict, Verdict
from storage.catalog import connect
from storage.queries import ask


@pytest.fixture
def catalog(store, unit_of, make_problem, make_trajectory):
    store.commit(unit_of(PROBLEMS.name, stage="problems"), [make_problem("p0", answer="4")])
    truth = {"a": True, "b": True, "c": False, "d": False, "e": None}
    store.commit(
        unit_of(TRAJECTORIES.name), [make_trajectory(n, correct=c) for n, c in truth.items()]
    )
    said = {"a": True, "b": False, "c": True, "d": False, "e": True}
    rows = [
        Verdict(
            trajectory_id=name,
            grader="judge",
            answer=name,
            correct=correct,
            created_at=datetime(2026, 2, 1, tzinfo=UTC),
            members=(MemberVerdict(grader="member", answer=None, correct=None),),
        )
        for name, correct in said.items()
    ]
    store.commit(unit_of(VERDICTS.name, name="u0-000-fedcba9876543210", stage="regrading"), rows)
    return connect(store.url)


def test_every_grader_has_one_verdict_on_a_trajectory(catalog):
    count = "select count(*), count(distinct (trajectory_id, grader)) from grader_verdicts"
    assert catalog.sql(count).fetchall() == [(15, 15)]


def test_agreement_is_of_what_both_decide(catalog):
    found = catalog.sql(
        "select num_solutions, num_undecided, num_both_right, num_only_grader, num_only_other, "
        "num_both_wrong, agreement, kappa from grader_agreement "
        "where grader = 'exact' and other = 'judge'"
    ).fetchall()
    assert found == [(5, 1, 1, 1, 1, 1, 0.5, 0.0)]


def test_disagreements_have_both_answers(catalog):
    found = catalog.sql(
        "select trajectory_id, gold, answer, correct, other, other_answer, other_correct "
        "from grader_disagreements order by 1"
    ).fetchall()
    assert found == [
        ("b", "4", "4", True, "judge", "b", False),
        ("c", "4", "4", False, "judge", "c", True),
    ]
    (row,) = ask(catalog, "disagreements_of_run", run_id="run")
    assert (row["num_solutions"], row["example"]["trajectory_id"]) == (2, "b")
