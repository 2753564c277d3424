from datetime import UTC, datetime

import numpy as np
import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import MemberVerdict, Verdict
from tasks.evaluation.graders import compared_judges, grader_figures, verdicts_by_grader
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


OTHER = "judge-1+policy-b+87654321"
TABLE = [  # problem, what is true, what the two judges say
    ("p0", True, True, False),
    ("p0", True, True, True),
    ("p1", False, True, False),
    ("p1", False, True, False),
    ("p2", False, False, True),
    ("p2", True, None, True),
    ("p3", None, True, False),
]


@pytest.fixture
def twice_judged(make_problem, make_trajectory):
    rows, verdicts = [], []
    for index, (problem_id, right, one, other) in enumerate(TABLE):
        rows.append(make_trajectory(f"t{index}", problem_id=problem_id, correct=right))
        verdicts += [verdict(f"t{index}", one), verdict(f"t{index}", other, grader=OTHER)]
    return [make_problem(f"p{index}") for index in range(4)], rows, verdicts


def compare(judged, config, against=None):
    problems, solutions, verdicts = judged
    return grader_figures(problems, solutions, verdicts, config, against)


def test_judges_are_compared_on_what_both_decide(twice_judged):
    config = EvaluationConfig(num_bootstrap=400)
    rows = compare(twice_judged, config)
    ((key, found),) = compared_judges(rows).items()
    assert key[1:] == (JUDGE, OTHER, "exact")
    assert found["num_compared"].value == 5
    assert found["undecided_difference"].value == pytest.approx(1 / 6)
    # agrees: the first 1 1 0 0 1, the second 0 1 1 1 0
    assert found["agreement_difference"].value == pytest.approx(3 / 5 - 3 / 5)
    assert found["false_positive_difference"].value == pytest.approx(2 / 3 - 1 / 3)
    assert found["false_negative_difference"].value == pytest.approx(0 / 2 - 1 / 2)
    # by problem the parts are +1 of 2, -2 of 2, +1 of 1: resamples of problems reach both ends
    agreement = found["agreement_difference"]
    assert (agreement.ci_low, agreement.ci_high) == (-1.0, 1.0)


def test_a_judge_that_is_twice_the_same_differs_by_nothing(twice_judged):
    problems, rows, verdicts = twice_judged
    originals = [v for v in verdicts if v.grader == JUDGE]
    copy = [verdict(v.trajectory_id, v.correct, grader=OTHER) for v in originals]
    config = EvaluationConfig(num_bootstrap=50)
    found = compared_judges(grader_figures(problems, rows, [*originals, *copy], config))
    for row in next(iter(found.values())).values():
        if row.metric != "num_compared":
            one = row.metric == "false_negative_difference"  # right ones are of one problem
            assert (row.value, row.ci_low) == (0, None if one else 0)


def test_judges_may_be_measured_against_a_judge(twice_judged):
    config = EvaluationConfig(num_bootstrap=50)
    rows = compare(twice_judged, config, "judge-1+policy-b")
    assert {(row.verifier, row.arm, row.against) for row in rows} == {(JUDGE, None, OTHER)}
    found = {row.metric: row.value for row in rows if row.bin == "all"}
    assert found["num_graded"] == 7
    assert found["agreement"] == pytest.approx(1 / 6)
    with pytest.raises(ValueError, match=r"against: expected .*exact, judge-1.*got 'math'"):
        compare(twice_judged, config, "math")
