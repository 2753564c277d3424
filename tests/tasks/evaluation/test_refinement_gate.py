"""What refining gains by a verifier, against counts by hand and by brute force."""

import random

import pytest

from schemas.evaluation import EvaluationConfig
from tasks.evaluation.refinement_gate import (
    THRESHOLDS,
    Refined,
    choose_threshold,
    gate_rows,
    is_dev,
)

ROWS = [
    Refined("p0", True, True, 0.95),  # flagged, right again
    Refined("p0", True, False, 0.7),  # broken
    Refined("p0", False, True, 0.99),  # mended
    Refined("p0", False, False, 0.6),  # still wrong
    Refined("p1", False, True, 0.2),  # not flagged
    Refined("p1", True, None, 0.9),  # flagged, without a refinement
    Refined("p1", True, False, None),  # not judged
    Refined("p1", False, True, 0.51),  # mended
]


def figures(rows, threshold):
    found = gate_rows(
        "own", "refiner", rows, threshold, EvaluationConfig(num_bootstrap=50), set_name="eval"
    )
    return {row.metric: row.value for row in found}


def test_the_thresholds_go_from_a_half_to_one_by_hundredths():
    assert len(THRESHOLDS) == 51
    assert (THRESHOLDS[0], THRESHOLDS[1], THRESHOLDS[-1]) == (0.5, 0.51, 1.0)


def test_cells_accuracies_and_rates_by_hand():
    found = figures(ROWS, 0.5)
    assert found["before"] == 4 / 8
    assert found["after"] == 5 / 8  # two mended, one broken
    assert found["gain_over"] == 1 / 8
    assert found["right_right"] == 3 / 8
    assert found["right_wrong"] == 1 / 8
    assert found["wrong_right"] == 2 / 8
    assert found["wrong_wrong"] == 2 / 8
    assert found["refined_share"] == 5 / 8
    assert found["flags_wrong"] == 3 / 4
    assert found["passes_right"] == 1 / 4  # the one that was not judged
    assert found["threshold"] == 0.5


def test_a_probability_at_the_threshold_is_not_refined():
    row = Refined("p", False, True, 0.8)
    assert not row.ends_right(0.8)
    assert row.ends_right(0.79)


def test_the_threshold_is_the_highest_of_the_best_by_brute_force():
    rng = random.Random(0)
    for _ in range(50):
        rows = [
            Refined("p", rng.random() < 0.5, rng.choice([True, False, None]), rng.random())
            for _ in range(12)
        ]
        right = {t: sum(row.ends_right(t) for row in rows) for t in THRESHOLDS}
        most = max(right.values())
        assert choose_threshold(rows) == max(t for t, number in right.items() if number == most)
    # Between .51 and .59 the fourth row, which stays wrong, does not matter.
    assert choose_threshold(ROWS[:4]) == 0.98


def test_no_solution_is_no_threshold():
    with pytest.raises(ValueError, match="expected solutions to choose a threshold on, got none"):
        choose_threshold([])


def test_folds_are_decided_by_the_problem_alone():
    names = [f"problem-{number}" for number in range(2000)]
    share = sum(is_dev(name, 0.5) for name in names) / len(names)
    assert 0.45 < share < 0.55
    assert [is_dev(name, 0.5) for name in names] == [is_dev(name, 0.5) for name in names]


def test_an_oracle_gains_all_that_is_mended_and_loses_nothing():
    rows = [Refined(r.problem_id, r.before, r.after, 2.0 * (not r.before)) for r in ROWS]
    found = figures(rows, choose_threshold(rows))
    assert found["right_wrong"] == 0
    assert found["after"] == 7 / 8
    assert (found["flags_wrong"], found["passes_right"]) == (1.0, 1.0)
