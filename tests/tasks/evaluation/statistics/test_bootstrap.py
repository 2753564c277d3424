import numpy as np
import pytest

from tasks.evaluation.statistics.bootstrap import (
    bootstrap_mean,
    bootstrap_ratio,
)

SETTINGS = {"num_resamples": 4000, "confidence": 0.95, "seed": 7}


def test_interval_is_that_of_the_normal_limit():
    values = np.random.default_rng(0).random((400, 1))
    means = bootstrap_mean(values, **SETTINGS)
    half = 1.96 * values.std() / 20
    assert means.value[0] == pytest.approx(values.mean())
    assert means.low[0] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert means.high[0] == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_equal_values_have_an_interval_of_a_point():
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
