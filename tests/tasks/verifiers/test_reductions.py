import math

import pytest

from tasks.verifiers.reductions import logit, reduce_scores


@pytest.mark.parametrize(
    ("how", "expected"), [("min", 0.2), ("prod", 0.05), ("last", 0.5), ("mean", 0.4)]
)
def test_reductions_of_three_steps(how, expected):
    assert reduce_scores((0.5, 0.2, 0.5), how) == pytest.approx(expected)


@pytest.mark.parametrize("how", ["min", "prod", "last", "mean"])
def test_one_step_is_its_own_score(how):
    assert reduce_scores([0.3], how) == 0.3


def test_no_step_and_unknown_reduction_are_refused():
    with pytest.raises(ValueError, match="at least one step score"):
        reduce_scores([], "min")
    with pytest.raises(ValueError, match="got 'max'"):
        reduce_scores([0.5], "max")  # pyright: ignore[reportArgumentType]


def test_logit_is_the_log_odds_and_stays_finite_at_the_ends():
    assert logit(0.5) == 0.0
    assert logit(0.8) == pytest.approx(math.log(4))
    assert logit(1.0) == pytest.approx(13.8155, abs=1e-4)
    assert logit(0.0) == pytest.approx(-logit(1.0))


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_logit_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        logit(p)
