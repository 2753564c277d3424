"""What counts in a share of right solutions: the same in SQL, in the evaluation and by hand."""

import random
from itertools import combinations, product
from statistics import fmean

import pytest

from schemas.evaluation import EvaluationConfig
from schemas.graders import ExactGraderConfig
from schemas.rows import STEP_SCORES, Problem, StepScores, Trajectory
from storage import connect
from tasks.evaluation.solutions.candidates import build_candidates
from tasks.evaluation.solutions.figures import solution_figures
from tasks.evaluation.statistics.difficulty import oracle_solve_rate
from tasks.graders import make_grader
from tasks.graders.verdicts import outcome

STATUSES = ("finished", "truncated", "pruned", "error")
BUDGETS = (1, 2, 4, 8)
CONFIG = EvaluationConfig(budgets=BUDGETS, num_bootstrap=200, bins=())
UNFIT = object()
"""Left out by hand."""


def by_hand(row: Trajectory) -> object:
    """The rule in words: cut without an answer is not right; failed or not judged is left out."""
    if row.status in ("pruned", "error"):
        return UNFIT
    if row.correct is None:
        return False if row.answer is None and row.status == "truncated" else UNFIT
    return row.correct


def vote_by_hand(chosen: tuple[Trajectory, ...]) -> float:
    """Whether the answer with the most votes is right, shared among tied answers."""
    votes: dict[str, list[Trajectory]] = {}
    for row in chosen:
        if row.answer is not None:
            votes.setdefault(row.answer, []).append(row)
    most = max((len(rows) for rows in votes.values()), default=0)
    tied = [rows[0].correct is True for rows in votes.values() if len(rows) == most]
    return fmean(tied) if tied else 0.0


@pytest.fixture(params=range(6))
def drawn(request, make_problem, make_trajectory) -> tuple[list[Problem], list[Trajectory]]:
    """Random rows of every status, with and without answers; not equally many for each problem."""
    rng = random.Random(request.param)
    problems = [make_problem(f"p{i}") for i in range(7)]
    rows = []
    for problem in problems:
        for index in range(rng.choice((8, 8, 8, 8, 5, 3))):
            answer = rng.choice((None, "4", "5", "6"))
            correct = None if rng.random() < 0.3 else answer == "4"
            if answer is None and rng.random() < 0.5:
                correct = None
            rows.append(
                make_trajectory(
                    f"{problem.problem_id}-{index}",
                    problem_id=problem.problem_id,
                    sample_index=index,
                    status=rng.choice(STATUSES[:2] * 4 + STATUSES),
                    answer=answer,
                    correct=correct,
                )
            )
    return problems, rows


def test_sql_and_python_have_one_rule(store):
    connection = connect(store.url)
    for status, answer, correct in product(STATUSES, ("4", None), (True, False, None)):
        statement = "select outcome($status, $answer, $correct)"
        values = {"status": status, "answer": answer, "correct": correct}
        ((found,),) = connection.execute(statement, values).fetchall()
        assert found == outcome(status, has_answer=answer is not None, correct=correct), values


def test_pass_at_k_majority_and_solve_rate_agree_with_sql_and_by_hand(drawn, store, unit_of):
    problems, rows = drawn
    store.commit(unit_of("problems", stage="problems"), problems)
    store.commit(unit_of("trajectories"), rows)
    connection = connect(store.url)
    grader = make_grader(ExactGraderConfig())
    candidates = build_candidates(problems, rows, [], grader)
    metrics = solution_figures(candidates, CONFIG, policy="policy-0", verifier=None)
    measured = {(m.strategy, m.budget): m for m in metrics if m.metric == "accuracy"}

    pools = {
        problem.problem_id: [
            row
            for row in rows
            if row.problem_id == problem.problem_id and by_hand(row) is not UNFIT
        ]
        for problem in problems
    }
    rates = dict(connection.sql("select problem_id, solve_rate from solve_rate").fetchall())
    for problem in candidates:
        pool = pools[problem.problem_id]
        rate = fmean(by_hand(row) is True for row in pool) if pool else None
        assert rates[problem.problem_id] == pytest.approx(rate)
        assert oracle_solve_rate(problem) == pytest.approx(rate)

    statement = "select k, pass_at_k, num_problems from pass_at_k order by k"
    in_sql = {k: (value, number) for k, value, number in connection.sql(statement).fetchall()}
    kept = [pool for pool in pools.values() if pool]
    budgets = [k for strategy, k in measured if strategy == "pass" and k is not None]
    assert budgets == [k for k in BUDGETS if k in in_sql]
    for k in budgets:
        subsets = [list(combinations(pool, min(k, len(pool)))) for pool in kept]
        any_right = [fmean(any(by_hand(r) is True for r in s) for s in each) for each in subsets]
        voted = [fmean(map(vote_by_hand, each)) for each in subsets]
        assert in_sql[k] == (pytest.approx(fmean(any_right)), len(kept))
        assert measured["pass", k].value == pytest.approx(fmean(any_right))
        assert measured["majority", k].value == pytest.approx(fmean(voted))
        assert measured["majority", k].num_problems == len(kept)
    curve = [in_sql[k][0] for k in sorted(in_sql)]
    assert curve == sorted(curve)


def test_pass_at_k_does_not_fall_where_cut_solutions_are_many(
    store, unit_of, make_problem, make_trajectory
):
    """Three solutions of four are cut: they count, and no problem leaves the curve for it."""
    problems = [make_problem(f"p{i}") for i in range(5)]
    rows = [
        make_trajectory(
            f"{p}-{i}",
            problem_id=f"p{p}",
            sample_index=i,
            status="finished" if i == 0 else "truncated",
            answer="4" if i == 0 else None,
            correct=p == 0 if i == 0 else None,
        )
        for p in range(5)
        for i in range(4)
    ]
    store.commit(unit_of("problems", stage="problems"), problems)
    store.commit(unit_of("trajectories"), rows)
    found = connect(store.url).sql("select k, pass_at_k from pass_at_k order by k").fetchall()
    assert found == [(1, pytest.approx(0.05)), (2, pytest.approx(0.1)), (4, pytest.approx(0.2))]


def test_calibration_counts_cut_solutions_as_not_right(store, unit_of, make_trajectory):
    rows = [
        make_trajectory("right"),
        make_trajectory("cut", status="truncated", answer=None, correct=None),
        make_trajectory("limit", correct=None),
    ]
    scores = [
        StepScores(
            trajectory_id=row.trajectory_id,
            verifier="v",
            scores=(0.5, 0.75),
            scored_tokens=1,
            cached_tokens=0,
        )
        for row in rows
    ]
    store.commit(unit_of("trajectories"), rows)
    store.commit(unit_of(STEP_SCORES.name, stage="scoring"), scores)
    found = connect(store.url).sql("select num_trajectories, right_share from verifier_calibration")
    assert found.fetchall() == [(2, 0.5)]


@pytest.mark.parametrize(("num", "ks"), [(1, [1]), (3, [1, 3]), (8, [1, 4, 8]), (16, [1, 4, 16])])
def test_a_curve_ends_at_the_largest_number_of_solutions(make_problem, make_trajectory, num, ks):
    rows = [
        make_trajectory(f"t{i}", problem_id="p0", sample_index=i, answer="4", correct=i == 0)
        for i in range(num)
    ]
    candidates = build_candidates([make_problem("p0")], rows, [], make_grader(ExactGraderConfig()))
    config = EvaluationConfig(budgets=(1, 4, 16, 64), num_bootstrap=20, bins=())
    found = {
        row.budget: row.value
        for row in solution_figures(candidates, config, policy="p", verifier=None)
        if (row.metric, row.strategy) == ("accuracy", "pass")
    }
    assert list(found) == ks
    assert found == pytest.approx({k: k / num for k in ks})  # one of num is right
