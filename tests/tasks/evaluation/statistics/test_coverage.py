import math

import numpy as np
import pytest

from tasks.evaluation.statistics.coverage import fit_coverage, fit_coverage_law
from tasks.evaluation.statistics.curves import pass_at_k

KS = (1, 2, 4, 8, 16, 32, 64)
SETTINGS = {"num_resamples": 500, "confidence": 0.95, "seed": 2}


@pytest.mark.parametrize(("a", "b"), [(-2.5, -0.4), (-0.9, -0.8), (-6.0, -0.05), (-0.1, -3.3)])
def test_finds_the_law_of_a_curve_that_follows_it(a, b):
    fit = fit_coverage(KS, [math.exp(a * k**b) for k in KS])
    assert fit is not None
    assert (fit.a, fit.b) == pytest.approx((a, b), rel=1e-6)
    assert fit.error < 1e-7
    assert fit.coverage(1000) == pytest.approx(math.exp(a * 1000**b))


def test_no_other_law_is_closer_in_log_coverage():
    rng = np.random.default_rng(5)
    curve = np.sort(rng.uniform(0.05, 0.9, len(KS)))
    fit = fit_coverage(KS, curve.tolist())
    assert fit is not None

    def squared_error(a, b):
        return sum((math.log(c) - a * k**b) ** 2 for k, c in zip(KS, curve, strict=True))

    best = squared_error(fit.a, fit.b)
    others = [squared_error(a, b) for a in np.linspace(-8, 0, 161) for b in np.linspace(-3, 0, 121)]
    assert best <= min(others)
    distances = [abs(fit.coverage(k) - c) for k, c in zip(KS, curve, strict=True)]
    assert fit.error == pytest.approx(max(distances))


def test_a_flat_curve_has_an_exponent_of_zero():
    fit = fit_coverage(KS, [0.3] * len(KS))
    assert fit is not None
    assert (fit.a, fit.b) == pytest.approx((math.log(0.3), 0.0), abs=1e-6)


def test_points_at_full_coverage_count():
    fit = fit_coverage((1, 2, 4), (0.5, 1.0, 1.0))
    assert fit is not None
    assert fit.coverage(4) > 0.99


@pytest.mark.parametrize("curve", [[0.0] * 7, [1.0] * 7, [0.0, *[0.5] * 6]])
def test_a_curve_without_logarithm_or_without_slope_has_no_law(curve):
    assert fit_coverage(KS, curve) is None


def test_interval_holds_the_law_that_the_problems_were_drawn_from():
    """Problems whose pass@k has a known mean: p is 1/2 for some, 1/64 for the others."""
    rng = np.random.default_rng(7)
    p = np.where(rng.random(400) < 0.5, 0.5, 1 / 64)
    drawn = rng.binomial(128, p)
    rates = np.array([[pass_at_k(128, int(c), k) for k in KS] for c in drawn])
    truth = fit_coverage(KS, [0.5 * (1 - 0.5**k) + 0.5 * (1 - (63 / 64) ** k) for k in KS])
    law = fit_coverage_law(KS, rates, **SETTINGS)
    assert truth is not None
    assert law is not None
    assert law.a_interval[0] < truth.a < law.a_interval[1]  # type: ignore
    assert law.b_interval[0] < truth.b < law.b_interval[1]  # type: ignore
    assert law.num_problems == 400
    assert law.error_interval[0] < truth.error < law.error_interval[1] < 0.1  # type: ignore


def test_one_problem_has_a_law_without_interval():
    law = fit_coverage_law((1, 2), np.array([[0.5, 0.75]]), **SETTINGS)
    assert law is not None
    assert law.fit.coverage(2) == pytest.approx(0.75)
    assert law.a_interval == law.b_interval == law.error_interval == (None, None)


def test_resamples_that_no_law_fits_leave_no_interval():
    law = fit_coverage_law((1, 2), np.array([[0.0, 0.0], [0.5, 0.75]]), **SETTINGS)
    assert law is not None
    assert law.a_interval == (None, None)


@pytest.mark.parametrize(
    ("ks", "curve", "words"),
    [
        ((1,), [0.5], "at least two numbers of samples"),
        ((2, 1), [0.5, 0.6], "increasing numbers of samples"),
        ((1, 2), [0.5], "expected 2 values per problem, got 1"),
        ((1, 2), [0.5, 1.5], r"expected coverage in \[0, 1\], got 1.5"),
        ((1, 2), [0.5, float("nan")], "got nan"),
    ],
)
def test_refuses_what_is_no_curve(ks, curve, words):
    with pytest.raises(ValueError, match=words):
        fit_coverage(ks, curve)
