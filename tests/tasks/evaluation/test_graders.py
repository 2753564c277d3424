from datetime import UTC, datetime

import numpy as np
import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import MemberVerdict, Verdict
from tasks.evaluation.graders import grader_figures, verdicts_by_grader
from tasks.evaluation.statistics.agreement import cohen_kappa

JUDGE = "judge-1+policy-a+12345678"
SAID = {  # by policy: what is true, what the judge says
    "policy-a": [(True, True), (True, False), (False, True), (False, True), (False, None)],
    "policy-b": [(True, True), (False, False), (False, False), (True, True)],
}


def verdict(name, correct, day=2, grader=JUDGE, members=None):
    return Verdict(
        trajectory_id=name,
        grader=grader,
        answer="4",
        correct=correct,
        created_at=datetime(2026, 1, day, tzinfo=UTC),
        members=members,
    )


@pytest.fixture
def judged(make_problem, make_trajectory):
    rows, verdicts = [], []
    for policy, pairs in SAID.items():
        for index, (right, said) in enumerate(pairs):
            name = f"{policy}-{index}"
            rows.append(make_trajectory(name, problem_id=f"p{index}", policy=policy, correct=right))
            verdicts.append(verdict(name, said))
    problems = [make_problem(f"p{index}") for index in range(5)]
    return problems, rows, verdicts


def figures(judged):
    config = EvaluationConfig(num_bootstrap=200)
    problems, solutions, verdicts = judged
    rows = grader_figures(problems, solutions, verdicts, config)
    return {(row.policy, row.bin, row.metric): row for row in rows}


def test_rates_are_of_what_both_decide(judged):
    found = figures(judged)
    own = {
        m: found["policy-a", "all", m].value for p, b, m in found if (p, b) == ("policy-a", "all")
    }
    assert own["num_graded"] == 5
    assert own["undecided_rate"] == pytest.approx(1 / 5)
    assert own["agreement"] == pytest.approx(1 / 4)
    assert own["false_positive_rate"] == 1.0
    assert own["false_negative_rate"] == pytest.approx(1 / 2)
    assert own["leniency"] == pytest.approx((3 - 2) / 4)
    # chance agrees on 3/4 · 1/2 + 1/4 · 1/2 = 1/2
    assert own["kappa"] == pytest.approx((1 / 4 - 1 / 2) / (1 - 1 / 2))
    assert found["policy-b", "all", "kappa"].value == 1.0


def test_self_preference_is_leniency_beyond_that_toward_others(judged):
    found = figures(judged)
    assert found["policy-a", "all", "self_preference"].value == pytest.approx(1 / 4 - 0)
    assert ("policy-b", "all", "self_preference") not in found


def test_bins_by_length_hold_every_solution_once(judged):
    found = figures(judged)
    counts = [
        row.value
        for (policy, where, metric), row in found.items()
        if policy == "policy-a" and where.startswith("length_fifth=") and metric == "num_graded"
    ]
    assert sum(counts) == 5


def test_newest_verdicts_count_and_members_are_graders_too(make_trajectory):
    members = (MemberVerdict(grader="exact-2", answer="4", correct=False),)
    ensemble = verdict("t", None, day=4, grader="ensemble-1+all(exact-2)", members=members)
    rows = [make_trajectory("t", correct=True)]
    found = verdicts_by_grader(rows, [ensemble, verdict("t", False, 3), verdict("t", True, 2)])
    assert found == {
        "exact": {"t": True},
        JUDGE: {"t": False},
        "ensemble-1+all(exact-2)": {"t": None},
        "exact-2": {"t": False},
    }


def test_kappa_of_known_tables():
    tables = np.array([[20.0, 5, 10, 15], [10, 0, 0, 0], [0, 0, 0, 0]])
    kappas = cohen_kappa(tables)
    assert kappas[0] == pytest.approx(0.4)  # Cohen's textbook example
    assert np.isnan(kappas[1:]).all()
