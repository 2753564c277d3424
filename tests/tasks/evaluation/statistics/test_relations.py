"""The rule by which a relation holds, on figures with known differences."""

from math import hypot, sqrt

import pytest

from tasks.evaluation.statistics.intervals import mean_interval, student_quantile
from tasks.evaluation.statistics.relations import (
    Measured,
    Pairing,
    compare,
    mean_of_units,
    on_shared_units,
    verdict_of,
    weighted_sum,
)


def by_problem(values, pairing: Pairing = "problem"):
    units = {f"u{index}": value for index, value in enumerate(values)}
    return mean_of_units(units, pairing)


@pytest.mark.parametrize(
    ("low", "high", "margin", "verdict"),
    [
        (0.01, 0.2, 0.0, "holds"),
        (0.0, 0.2, 0.0, "within the noise"),
        (-0.1, 0.2, 0.0, "within the noise"),
        (-0.1, 0.0, 0.0, "within the noise"),
        (-0.2, -0.01, 0.0, "does not hold"),
        (-0.03, 0.05, -0.04, "holds"),
        (0.01, 0.2, 0.1, "within the noise"),
        (0.01, 0.09, 0.1, "does not hold"),
        (None, None, 0.0, None),
        (0.1, None, 0.0, None),
    ],
)
def test_an_interval_beside_the_margin_decides(low, high, margin, verdict):
    assert verdict_of(low, high, margin) == verdict


def test_problems_that_both_sides_measured_are_paired():
    # The difference is 1/4 in every shared problem, however much the problems differ.
    larger = by_problem([index / 20 + 0.25 for index in range(12)] + [9.0])
    smaller = by_problem([index / 20 for index in range(12)])
    found = compare(larger, smaller)
    assert (found.difference, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert (found.verdict, found.num_units) == ("holds", 12)
    assert found.rule == "paired by problem, bootstrap"
    assert compare(smaller, larger).verdict == "does not hold"


def test_sides_of_other_problems_are_shown_over_those_that_both_have():
    first = mean_of_units({f"p{i}": float(i) for i in range(12)}, "problem")
    second = mean_of_units({f"p{i}": 2.0 * i for i in range(2, 20)}, "problem")
    larger, smaller = on_shared_units(first, second)
    assert (larger.value, smaller.value) == (6.5, 13.0)  # of 2 to 11
    assert compare(first, second).difference == larger.value - smaller.value
    few = mean_of_units({f"p{i}": 1.0 for i in range(9)}, "problem")
    assert on_shared_units(first, few) == (first, few)


def test_the_bootstrap_of_a_coin_is_binomial():
    # The mean of 12 resampled differences is Binomial(12, 1/2) / 12, whose quantiles are 3 and 9.
    larger, smaller = by_problem([1.0, 0.0] * 6), by_problem([0.0] * 12)
    found = compare(larger, smaller, margin=0.4)
    assert (found.difference, found.low, found.high) == (0.5, 3 / 12, 9 / 12)
    assert found.verdict == "within the noise"


def test_a_handful_of_problems_is_not_paired():
    larger, smaller = by_problem([1.0] * 9), by_problem([0.0] * 9)
    found = compare(larger, smaller)
    assert (found.difference, found.low, found.verdict) == (1.0, None, None)
    assert found.rule == "a side has no interval"


def test_seeds_are_paired_by_students_t():
    larger, smaller = by_problem([1.0, 3.0, 5.0], "seed"), by_problem([0.0, 1.0, 2.0], "seed")
    found = compare(larger, smaller)
    half = 4.302652729911275 / sqrt(3)  # differences 1, 2, 3
    assert (found.difference, found.low, found.high) == pytest.approx((2.0, 2 - half, 2 + half))
    assert (found.verdict, found.rule) == ("within the noise", "paired by seed, Student's t")
    assert compare(by_problem([1.0], "seed"), by_problem([0.0], "seed")).verdict is None


def test_seeds_are_not_paired_with_problems():
    seeds, problems = by_problem([0.5, 0.7], "seed"), by_problem([0.0] * 12)
    assert compare(seeds, problems).rule == "from the two intervals, as if independent"


def test_a_stored_difference_counts_where_the_sides_are_not_paired():
    larger, smaller = Measured(value=0.8, low=0.7, high=0.9), Measured(value=0.5)
    stored = Measured(value=0.3, low=0.2, high=0.4)
    found = compare(larger, smaller, stored=stored)
    assert (found.difference, found.low, found.high) == (0.3, 0.2, 0.4)
    assert found.rule == "stored difference, paired by problem, bootstrap"
    assert compare(by_problem([1.0] * 12), by_problem([0.0] * 12), stored=stored).difference == 1.0


def test_two_intervals_make_that_of_the_difference():
    larger = Measured(value=0.8, low=0.7, high=0.88)
    smaller = Measured(value=0.5, low=0.4, high=0.62)
    found = compare(larger, smaller)
    assert found.difference == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - hypot(0.1, 0.12))
    assert found.high == pytest.approx(0.3 + hypot(0.08, 0.1))
    assert (found.verdict, found.num_units) == ("holds", None)


def test_a_published_number_has_no_width():
    number = Measured(value=0.7, low=0.7, high=0.7)
    found = compare(Measured(value=0.76, low=0.68, high=0.83), number)
    assert (found.low, found.high) == pytest.approx((-0.02, 0.13))
    assert found.verdict == "within the noise"


def test_without_an_interval_there_is_no_verdict():
    assert compare(Measured(value=0.9), Measured(value=0.1, low=0.0, high=0.2)).verdict is None


def test_a_figure_is_scaled_with_its_interval_and_its_units():
    half = Measured(value=4.0, low=2.0, high=6.0, units={"a": 8.0, "b": 0.0}).scaled(0.5)
    assert half == Measured(value=2.0, low=1.0, high=3.0, units={"a": 4.0, "b": 0.0})


def test_nothing_measured_has_no_mean():
    with pytest.raises(ValueError, match="expected the figure of at least one seed, got none"):
        mean_of_units({}, "seed")


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.706204736), (2, 4.302652730), (3, 3.182446305), (4, 2.776445105), (30, 2.042272456)],
)
def test_students_quantiles_are_those_of_the_tables(degrees, quantile):
    assert student_quantile(0.975, degrees) == pytest.approx(quantile, rel=1e-8)
    assert student_quantile(0.5, degrees) == pytest.approx(0.0, abs=1e-9)


def test_the_interval_of_a_mean_needs_two_measurements():
    assert mean_interval([1.0, 3.0]) == pytest.approx((2 - 12.706204736, 2 + 12.706204736))
    with pytest.raises(ValueError, match="expected at least 2 measurements, got 1"):
        mean_interval([1.0])


def test_a_weighted_sum_is_by_unit_only_where_all_are():
    first, second = by_problem([0.5] * 12), by_problem([0.1] * 13)
    found = weighted_sum([(1, first), (-2, second)])
    assert found.units == {f"u{index}": pytest.approx(0.3) for index in range(12)}
    whole = Measured(value=0.4, low=0.3, high=0.6)
    mixed = weighted_sum([(1, whole), (-1, Measured(value=0.1, low=0.0, high=0.4))])
    assert mixed.value == pytest.approx(0.3)
    assert mixed.low == pytest.approx(0.3 - hypot(0.1, 0.3))
    assert mixed.high == pytest.approx(0.3 + hypot(0.2, 0.1))
    assert weighted_sum([(1, whole), (1, Measured(value=0.1))]).low is None
    with pytest.raises(ValueError, match="expected a figure, got none"):
        weighted_sum([])
