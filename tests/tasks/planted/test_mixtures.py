"""Exact figures of mixtures: published goldens, brute force, and the analytic engine as oracle."""

from itertools import product
from math import comb

import pytest

from schemas.engines import PlantedConfig
from tasks.engines.planted_engine import p_hitting_times
from tasks.planted.mixtures import (
    Mixture,
    anti_concentration,
    exact_figures,
    mixture_like,
    reward_of,
    stepwise_variance,
)

ONE = Mixture((0.5,), (1.0,))
NARROW, WIDE, WIDEST = Mixture.equal(0.4, 0.6), Mixture.equal(0.25, 0.75), Mixture.equal(0.1, 0.9)


@pytest.mark.parametrize(
    ("mixture", "horizon", "expected"),
    [
        (ONE, 10, 0.62305),
        (WIDE, 10, 0.52920),
        (WIDE, 20, 0.79258),
        (WIDEST, 20, 0.52159),
        (WIDEST, 40, 0.68549),
    ],
)
def test_success_is_that_of_the_negative_binomial(mixture, horizon, expected):
    assert mixture.p_success(horizon) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize(
    ("mixture", "mean", "variance", "concentration"),
    [
        (ONE, 11.009, 9.769, 0.227),
        (NARROW, 10.647, 14.785, 0.258),
        (WIDE, 8.977, 38.064, 0.385),
        (WIDEST, 7.814, 59.085, 0.487),
    ],
)
def test_reward_variance_and_anti_concentration_at_horizon_20(
    mixture, mean, variance, concentration
):
    exact = exact_figures(mixture, 20, "bilevel")
    assert exact.mean_reward == pytest.approx(mean, abs=5e-4)
    assert exact.heterogeneity == pytest.approx(variance, abs=5e-4)
    assert anti_concentration(mixture, 20, "bilevel", 0.5) == pytest.approx(concentration, abs=5e-4)


@pytest.mark.parametrize(
    ("horizon", "mixture", "base", "imitation"),
    [
        (10, ONE, 1.85, 2.98),
        (10, NARROW, 1.92, 3.20),
        (10, WIDE, 2.26, 4.27),
        (10, WIDEST, 2.72, 5.44),
        (20, ONE, 11.01, 11.07),
        (20, NARROW, 10.65, 10.93),
        (20, WIDE, 8.98, 11.33),
        (20, WIDEST, 7.81, 14.98),
        (40, ONE, 31.0, 31.0),
        (40, NARROW, 30.58, 30.58),
        (40, WIDE, 27.70, 27.93),
        (40, WIDEST, 19.76, 28.82),
    ],
)
def test_limits_of_unlimited_data(horizon, mixture, base, imitation):
    exact = exact_figures(mixture, horizon, "bilevel")
    assert exact.mean_reward == pytest.approx(base, abs=6e-3)
    assert exact.imitation_limit == pytest.approx(imitation, abs=6e-3)
    assert exact.verifier_limit == horizon - 4


def by_enumeration(mixture, horizon, kind, num_gold):
    """[2 ** H] probability and reward of every pattern of hits and misses, whatever follows."""
    found = []
    for pattern in product((False, True), repeat=horizon):
        times = [t for t, hit in enumerate(pattern, start=1) if hit]
        time = times[num_gold - 1] if len(times) >= num_gold else None
        p = sum(
            weight * gamma ** sum(pattern) * (1 - gamma) ** (horizon - sum(pattern))
            for gamma, weight in zip(mixture.gammas, mixture.weights, strict=True)
        )
        found.append((p, reward_of(time, horizon, kind)))
    return found


@pytest.mark.parametrize("kind", ["bilevel", "binary"])
@pytest.mark.parametrize("mixture", [ONE, WIDE, Mixture((0.2, 0.5, 0.95), (0.6, 0.3, 0.1))])
@pytest.mark.parametrize(("horizon", "num_gold"), [(5, 5), (8, 5), (6, 2), (3, 1)])
def test_everything_agrees_with_the_enumeration_of_all_patterns(kind, mixture, horizon, num_gold):
    outcomes = by_enumeration(mixture, horizon, kind, num_gold)
    mean = sum(p * r for p, r in outcomes)
    variance = sum(p * (r - mean) ** 2 for p, r in outcomes)
    right = sum(p for p, r in outcomes if r > 0)
    exact = exact_figures(mixture, horizon, kind, num_gold)
    assert exact.mean_reward == pytest.approx(mean)
    assert exact.p_success == pytest.approx(right)
    assert exact.heterogeneity == pytest.approx(variance)
    assert exact.imitation_limit == pytest.approx(mean / right)
    assert exact.verifier_limit == max(r for _, r in outcomes)
    assert stepwise_variance(mixture, horizon, kind, num_gold) == pytest.approx(variance)
    for epsilon in (0.1, 0.5, 1.0):
        least = mean + (variance * epsilon) ** 0.5
        assert anti_concentration(mixture, horizon, kind, epsilon, num_gold) == pytest.approx(
            sum(p for p, r in outcomes if r >= least - 1e-9)
        )


@pytest.mark.parametrize("mixture", [NARROW, WIDE, WIDEST])
@pytest.mark.parametrize("horizon", [10, 20])
def test_stepwise_variance_needs_the_posterior_over_skills(mixture, horizon):
    variance = exact_figures(mixture, horizon, "bilevel").heterogeneity
    assert stepwise_variance(mixture, horizon, "bilevel") == pytest.approx(variance, abs=1e-9)
    # The mean over skills of each one's own stepwise variance leaves out that between skills.
    apart = sum(
        weight * stepwise_variance(Mixture((gamma,), (1.0,)), horizon, "bilevel")
        for gamma, weight in zip(mixture.gammas, mixture.weights, strict=True)
    )
    assert apart < variance - 0.1


def test_hitting_times_are_those_of_the_analytic_engine():
    config = PlantedConfig(gammas=(0.25, 0.75), horizon=14)
    assert WIDE.p_hitting_times(14) == pytest.approx(p_hitting_times(config))


def test_a_reward_of_one_near_certainty_has_no_better_solution():
    # The mean is .994, so the mean plus sigma / sqrt(2) exceeds the largest reward.
    assert anti_concentration(ONE, 20, "binary", 0.5) == 0


@pytest.mark.parametrize("hold", ["gamma", "success", "reward", "expert"])
@pytest.mark.parametrize("spread", [0.1, 0.25])
def test_mixtures_have_in_common_what_is_held(hold, spread):
    mixture = mixture_like(0.5, spread, hold, 12)
    held = {
        "gamma": lambda m: m.mean_gamma,
        "success": lambda m: m.p_success(12),
        "reward": lambda m: exact_figures(m, 12, "bilevel").mean_reward,
        "expert": lambda m: exact_figures(m, 12, "bilevel").imitation_limit,
    }[hold]
    assert held(mixture) == pytest.approx(held(ONE), abs=1e-9)
    assert mixture.gammas == pytest.approx((0.5 - spread, 0.5 + spread))


def test_equal_success_is_equal_heterogeneity_under_the_binary_reward():
    p = sum(comb(12, k) for k in range(5, 13)) / 2**12
    for spread in (0.0, 0.1, 0.25, 0.4):
        exact = exact_figures(mixture_like(0.5, spread, "success", 12), 12, "binary")
        assert exact.heterogeneity == pytest.approx(p * (1 - p))


def test_the_single_skill_is_the_mixture_without_spread():
    assert mixture_like(0.5, 0, "success", 12) == ONE


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Mixture.equal(0.5, 1.0), r"gammas in \(0, 1\), got 1"),
        (lambda: Mixture.equal(0.0), r"gammas in \(0, 1\), got 0"),
        (lambda: Mixture((), ()), "at least one"),
        (lambda: Mixture((0.5,), (0.5, 0.5)), "a weight for each of 1 gammas"),
        (lambda: Mixture((0.4, 0.6), (0.7, 0.7)), "sum to 1"),
        (lambda: exact_figures(ONE, 4, "bilevel"), "at least the 5 symbols of the gold, got 4"),
        (lambda: stepwise_variance(ONE, 4, "binary"), "at least the 5 symbols"),
        (lambda: mixture_like(0.5, 0.6, "gamma", 12), r"gammas in \(0, 1\)"),
        # A skill of .9 is nearly always right, so nothing more than .5 alone has its success.
        (lambda: mixture_like(0.5, 0.4, "gamma", 3), "at least the 5 symbols"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
