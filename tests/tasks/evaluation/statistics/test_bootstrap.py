import numpy as np
import pytest

from schemas.evaluation import EvaluationConfig
from tasks.evaluation.figures import About, FigureWriter, bounds_of
from tasks.evaluation.statistics.bootstrap import (
    agreement_interval,
    bootstrap_mean,
    bootstrap_ratio,
)
from tasks.evaluation.statistics.first_error import bootstrap_first_errors
from tasks.evaluation.statistics.intervals import wilson_interval
from tasks.evaluation.statistics.ranking import bootstrap_auc
from tasks.evaluation.statistics.relations import _interval

SETTINGS = {"num_resamples": 4000, "confidence": 0.95, "seed": 7}


def test_interval_is_that_of_the_normal_limit():
    values = np.random.default_rng(0).random((400, 1))
    means = bootstrap_mean(values, **SETTINGS)
    half = 1.96 * values.std() / 20
    assert means.value[0] == pytest.approx(values.mean())
    assert means.low[0] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert means.high[0] == pytest.approx(values.mean() + half, abs=0.1 * half)


@pytest.mark.parametrize("num_problems", [2, 8, 300])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_outcomes_that_all_agree_have_wilsons_interval(num_problems, value):
    values = np.full((num_problems, 1), value)
    expected = wilson_interval(round(value * num_problems), num_problems)
    means = bootstrap_mean(values, **SETTINGS, bounds=(0.0, 1.0))
    assert (means.low[0], means.high[0]) == pytest.approx(expected)
    rates = bootstrap_ratio(3 * values, np.full((num_problems, 1), 3.0), **SETTINGS)
    assert (rates.low[0], rates.high[0]) == pytest.approx(expected)


def test_eight_of_eight_problems_do_not_claim_certainty():
    # z = 1.96: 8 / (8 + 3.84) = 0.676
    config = EvaluationConfig(num_bootstrap=50)
    (row,) = FigureWriter("p", config).means(np.ones((8, 1)), [About("majority")], "accuracy")
    assert (row.value, row.ci_low, row.ci_high) == pytest.approx((1.0, 0.6756, 1.0), abs=1e-4)


def test_a_gain_of_nothing_on_every_problem_may_be_one_either_way():
    others = 1.959964**2 / (8 + 1.959964**2)
    assert agreement_interval(0.0, 8, (-1.0, 1.0), 0.95) == pytest.approx((-others, others))
    config = EvaluationConfig(num_bootstrap=50)
    (row,) = FigureWriter("p", config).means(np.zeros((8, 1)), [About("a")], "gain_over")
    assert (row.ci_low, row.ci_high) == pytest.approx((-others, others))
    assert _interval(np.zeros(40), "problem", 0) == pytest.approx(
        agreement_interval(0.0, 40, (-1.0, 1.0), 0.95)
    )


def test_an_agreed_share_is_inside_its_interval():
    # All five problems at .25: a fifth problem in z^2 / (5 + z^2) = .434 may have any rate.
    low, high = agreement_interval(0.25, 5, (0.0, 1.0), 0.95)
    assert (low, high) == pytest.approx((0.25 * (1 - 0.43448), 0.25 + 0.75 * 0.43448), abs=1e-4)


def test_costs_have_no_bounds_and_disagreement_keeps_its_percentiles():
    assert bounds_of("generated_tokens") is None
    values = np.array([[1.0], [0.0], [1.0], [1.0]])
    plain, bounded = (bootstrap_mean(values, **SETTINGS, bounds=b) for b in (None, (0.0, 1.0)))
    assert (plain.low, plain.high) == (bounded.low, bounded.high)


def test_an_auc_and_first_errors_without_a_fault_have_intervals_too():
    expected = wilson_interval(4, 4)
    auc = bootstrap_auc(
        [0.9, 0.1] * 4,
        np.array([True, False] * 4),
        [f"p{i // 2}" for i in range(8)],
        np.array([[i % 2 == 1] for i in range(8)]),
        num_resamples=50,
        confidence=0.95,
        seed=1,
    )
    assert (auc.low[0], auc.high[0]) == pytest.approx(expected)
    rates = bootstrap_first_errors(
        np.ones(8, dtype=bool),
        np.arange(8) % 2 == 0,
        [f"p{i // 2}" for i in range(8)],
        np.ones((8, 1), dtype=bool),
        num_resamples=50,
        confidence=0.95,
        seed=1,
    )
    assert rates.low == pytest.approx(np.full((2, 3), expected[0]))


def test_equal_values_without_bounds_have_an_interval_of_a_point():
    means = bootstrap_mean(np.full((5, 1), 0.25), **SETTINGS)
    assert (means.low[0], means.high[0]) == (0.25, 0.25)


def test_pairing_removes_what_both_share():
    rng = np.random.default_rng(1)
    shared = rng.random((200, 1))
    gain = bootstrap_mean((shared + 0.1) - shared, **SETTINGS)
    assert gain.value[0] == pytest.approx(0.1)
    assert gain.high[0] - gain.low[0] < 1e-9
    alone = bootstrap_mean(shared, **SETTINGS)
    assert alone.high[0] - alone.low[0] > 0.05


def test_unmeasured_problems_are_left_out_of_their_column_only():
    values = np.array([[1.0, 1.0], [0.0, np.nan], [0.5, np.nan]])
    means = bootstrap_mean(values, **SETTINGS)
    assert means.value.tolist() == [0.5, 1.0]
    assert means.num_problems.tolist() == [3, 1]
    assert np.isnan(means.low[1])
    assert np.isnan(means.high[1])


def test_two_measured_among_many_still_have_an_interval():
    values = np.full((50, 1), np.nan)
    values[:2, 0] = (0.0, 1.0)
    means = bootstrap_mean(values, **SETTINGS)
    assert (means.low[0], means.high[0]) == (0.0, 1.0)


def test_a_column_without_a_problem_is_nan():
    means = bootstrap_mean(np.full((3, 1), np.nan), **SETTINGS)
    assert np.isnan(means.value[0])
    assert means.num_problems[0] == 0


def test_seed_decides():
    values = np.random.default_rng(2).random((30, 1))
    assert bootstrap_mean(values, **SETTINGS).low == bootstrap_mean(values, **SETTINGS).low
    other = bootstrap_mean(values, **{**SETTINGS, "seed": 8})
    assert bootstrap_mean(values, **SETTINGS).low != other.low


def test_a_ratio_weighs_problems_by_their_rows():
    """1 of 4 rows, 3 of 3, and a problem without rows: 4 of 7, over two problems."""
    parts, wholes = np.array([[1.0], [3.0], [0.0]]), np.array([[4.0], [3.0], [0.0]])
    means = bootstrap_ratio(parts, wholes, num_resamples=500, confidence=0.95, seed=3)
    assert means.value[0] == pytest.approx(4 / 7)
    assert means.num_problems.tolist() == [2]
    assert means.interval(0) == (0.25, 1.0)
    alone = bootstrap_ratio(parts[:1], wholes[:1], num_resamples=50, confidence=0.95, seed=3)
    assert alone.interval(0) == (None, None)
