import itertools

import numpy as np
import pytest

from tasks.evaluation.statistics.gap_recovered import bootstrap_gap_recovered, gap_recovered

SETTINGS = {"num_resamples": 2000, "confidence": 0.95, "seed": 3}


def test_published_golden():
    assert gap_recovered(0.60, 0.72, 0.80) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("weak", "student", "ceiling", "expected"),
    [
        (0.5, 0.5, 0.75, 0.0),
        (0.5, 0.75, 0.75, 1.0),
        (0.5, 1.0, 0.75, 2.0),
        (0.5, 0.25, 0.75, -1.0),
        (0.5, 0.9, 0.5, None),
        (0.5, 0.9, 0.4, None),
    ],
)
def test_ends_of_the_gap(weak, student, ceiling, expected):
    assert gap_recovered(weak, student, ceiling) == expected


def test_refuses_what_is_no_performance():
    with pytest.raises(ValueError, match="student: expected a finite performance, got nan"):
        gap_recovered(0.5, float("nan"), 0.7)


def test_interval_holds_the_value_and_narrows_with_problems():
    rng = np.random.default_rng(0)

    def interval(num_problems):
        draws = [rng.binomial(8, p, num_problems) / 8 for p in (0.3, 0.5, 0.7)]
        return bootstrap_gap_recovered(*draws, **SETTINGS)

    few, many = interval(60), interval(6000)
    for found in (few, many):
        assert None not in (found.low, found.value, found.high)
        assert found.low < found.value < found.high  # type: ignore
    assert many.value == pytest.approx(0.5, abs=0.05)
    assert many.high - many.low < (few.high - few.low) / 3  # type: ignore


def test_interval_equals_the_distribution_over_all_resamples():
    weak = np.array([0.0, 0.5, 0.25])
    student = np.array([0.25, 0.5, 1.0])
    ceiling = np.array([0.75, 1.0, 0.5])
    every = []
    for rows in itertools.product(range(3), repeat=3):
        picked = [values[list(rows)].mean() for values in (weak, student, ceiling)]
        every.append(gap_recovered(*picked))
    assert all(value is not None for value in every)
    found = bootstrap_gap_recovered(
        weak, student, ceiling, num_resamples=20_000, confidence=0.8, seed=1
    )
    low, high = np.quantile(every, [0.1, 0.9], method="inverted_cdf")
    assert found.value == pytest.approx(gap_recovered(0.25, 7 / 12, 0.75))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_without_a_gap_there_is_no_value():
    found = bootstrap_gap_recovered(
        np.array([0.5, 0.5]), np.array([0.9, 0.9]), np.array([0.5, 0.25]), **SETTINGS
    )
    assert (found.value, found.low, found.high, found.num_problems) == (None, None, None, 2)


def test_a_gap_within_the_noise_has_no_interval():
    rng = np.random.default_rng(1)
    weak, student, ceiling = (rng.binomial(1, p, 50).astype(float) for p in (0.5, 0.55, 0.5))
    ceiling[:2], weak[:2] = 1.0, 0.0
    found = bootstrap_gap_recovered(weak, student, ceiling, **SETTINGS)
    assert found.low is None
    assert found.high is None


def test_problems_that_a_model_was_not_measured_on_are_left_out():
    nan = float("nan")
    measured = ([0.6, nan, 0.6], [0.72, 0.1, 0.72], [0.8, 0.1, 0.8])
    found = bootstrap_gap_recovered(*map(np.array, measured), **SETTINGS)
    assert found.num_problems == 2
    assert (found.value, found.low, found.high) == pytest.approx((0.6, 0.6, 0.6))


def test_refuses_other_problems_and_none():
    with pytest.raises(ValueError, match="got 2, 1 and 2"):
        bootstrap_gap_recovered(np.zeros(2), np.zeros(1), np.ones(2), **SETTINGS)
    with pytest.raises(ValueError, match="got none of 1"):
        bootstrap_gap_recovered(np.array([np.nan]), np.zeros(1), np.ones(1), **SETTINGS)
