"""Fits of a gap against the horizon."""

from math import sqrt

import pytest

from tasks.planted.fits import fit_power, fit_root


def test_a_power_law_is_recovered():
    fit = fit_power({h: 0.3 * h**0.8 for h in (8, 12, 20)})
    assert fit is not None
    assert (fit.scale, fit.exponent) == pytest.approx((0.3, 0.8))


def test_two_horizons_by_hand():
    # From 1 at H = 4 to 3 at H = 16: log 3 / log 4.
    fit = fit_power({4: 1.0, 16: 3.0})
    assert fit is not None
    assert fit.exponent == pytest.approx(0.7924813)


def test_a_gap_that_is_not_above_zero_has_no_power():
    assert fit_power({8: 0.5, 12: -0.1, 20: 0.4}) is None
    assert fit_power({8: 0.5, 12: 0.0}) is None


def test_the_square_root_is_recovered_and_explains_all():
    fit = fit_root({h: 0.7 * sqrt(h) for h in (8, 12, 20)})
    assert fit.scale == pytest.approx(0.7)
    assert fit.unexplained == pytest.approx(0)


def test_the_square_root_by_hand():
    # (1 * 2 + 3 * 4) / (4 + 16) = .7; left (1 - 1.4)^2 + (3 - 2.8)^2 = .2 of 2.
    fit = fit_root({4: 1.0, 16: 3.0})
    assert (fit.scale, fit.unexplained) == pytest.approx((0.7, 0.1))


@pytest.mark.parametrize("fit", [fit_power, fit_root])
def test_one_horizon_is_refused(fit):
    with pytest.raises(ValueError, match="two horizons or more, got 1"):
        fit({8: 1.0})
