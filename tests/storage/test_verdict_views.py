"""Views over regraded trajectories: the newest verdict counts."""

from datetime import UTC, datetime

import pytest

from schemas.rows import TRAJECTORIES, VERDICTS, StepScores, Verdict
from storage import connect, query


def rows(store, sql):
    return query(connect(store.url), sql).fetchall()


def verdict(name, correct, *, hour, answer: str | None = "5", grader="exact-2"):
    return Verdict(
        trajectory_id=name,
        grader=grader,
        answer=answer,
        correct=correct,
        created_at=datetime(2026, 1, 1, hour, tzinfo=UTC),
    )


@pytest.fixture
def solved(store, unit_of, make_problem, make_trajectory):
    """One problem with four solutions: right, right, wrong, ungraded."""
    store.commit(unit_of("problems", stage="problems"), [make_problem("p0")])
    graded = [("a", True), ("b", True), ("c", False), ("d", None)]
    store.commit(unit_of("trajectories"), [make_trajectory(n, correct=c) for n, c in graded])
    return store


def test_without_verdicts_graded_is_the_trajectories(solved):
    connection = connect(solved.url)
    names = ", ".join([*TRAJECTORIES.schema.names, "run_id", "stage"])
    assert set(query(connection, "select * from graded").columns) == set(names.split(", "))
    both = [
        query(connection, f"select {names} from {view} order by trajectory_id").fetchall()
        for view in ("graded", "trajectories")
    ]
    assert both[0] == both[1]
    assert len(both[0]) == 4


def test_the_newest_verdict_counts_whichever_file_it_is_in(solved, unit_of):
    later = [verdict("b", False, hour=9), verdict("c", True, hour=9), verdict("d", True, hour=9)]
    earlier = [verdict("b", True, hour=8, grader="math"), verdict("c", None, hour=8)]
    for name, verdicts in (("a-later", later), ("b-earlier", earlier)):
        solved.commit(unit_of(VERDICTS.name, name=name, stage="regrading"), verdicts)
    found = rows(
        solved, "select trajectory_id, answer, correct, grader from graded order by trajectory_id"
    )
    assert found == [
        ("a", "4", True, "exact"),
        ("b", "5", False, "exact-2"),
        ("c", "5", True, "exact-2"),
        ("d", "5", True, "exact-2"),
    ]
    counts = "select num_trajectories, num_graded, num_correct, solve_rate from solve_rate"
    assert rows(solved, counts) == [(4, 4, 3, 0.75)]
    assert rows(solved, "select k, pass_at_k from pass_at_k order by k") == [
        (1, 0.75),
        (2, 1.0),
        (4, 1.0),
    ]


def test_a_verdict_can_take_a_grade_and_an_answer_back(solved, unit_of):
    taken = [verdict("a", None, hour=9, answer=None)]
    solved.commit(unit_of(VERDICTS.name, stage="regrading"), taken)
    found = rows(solved, "select answer, correct, grader from graded where trajectory_id = 'a'")
    assert found == [(None, None, "exact-2")]
    assert rows(solved, "select num_graded, num_correct from solve_rate") == [(2, 1)]


def test_a_verdict_of_another_run_says_nothing(solved, unit_of):
    other = unit_of(VERDICTS.name, run_id="other", stage="regrading")
    solved.commit(other, [verdict("a", False, hour=9)])
    assert rows(solved, "select count(*) from graded") == [(4,)]
    assert rows(solved, "select correct from graded where trajectory_id = 'a'") == [(True,)]


def test_calibration_goes_by_the_newest_verdict(solved, unit_of):
    scores = [
        StepScores(
            trajectory_id=name, verifier="v", scores=(0.95,), scored_tokens=1, cached_tokens=0
        )
        for name in ("a", "b", "d")
    ]
    solved.commit(unit_of("step_scores", stage="scoring"), scores)
    shares = "select num_trajectories, right_share from verifier_calibration"
    assert rows(solved, shares) == [(2, 1.0)]
    verdicts = [verdict("a", False, hour=9), verdict("d", False, hour=9)]
    solved.commit(unit_of(VERDICTS.name, stage="regrading"), verdicts)
    assert rows(solved, shares) == [(3, pytest.approx(1 / 3))]


def test_no_view_over_verdicts_reads_the_steps(solved):
    """Texts make up most of a store: counting must not read them."""
    connection = connect(solved.url)
    for view in ("solve_rate", "pass_at_k", "verifier_calibration"):
        ((_, plan),) = query(connection, f"explain select * from {view}").fetchall()
        assert "steps" not in plan, view


def test_graded_has_the_same_columns_with_and_without_verdicts(solved, unit_of):
    without = query(connect(solved.url), "select * from graded")
    before = list(zip(without.columns, without.types, strict=True))
    solved.commit(unit_of(VERDICTS.name, stage="regrading"), [verdict("b", False, hour=9)])
    graded = query(connect(solved.url), "select * from graded")
    assert list(zip(graded.columns, graded.types, strict=True)) == before
