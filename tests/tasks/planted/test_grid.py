"""The grid: which bases and points, under which names, and what is refused."""

import pytest

from schemas.experiments.verification import VerificationExperimentConfig
from tasks.planted.grid import (
    base_of,
    bases,
    drawing_unit,
    model_unit,
    num_drawn,
    point_of,
    point_unit,
    points,
)

SMALL = {
    "holds": [{"hold": "gamma", "spreads": [0.25]}, {"hold": "success", "spreads": [0.1]}],
    "nums": [16, 32],
    "horizons": [8, 12, 20],
    "horizon_spreads": [0.0, 0.25],
    "horizon_num": 32,
    "num_seeds": 2,
    "imitation": {"num_dev_questions": 8},
}


def small(**changes):
    return VerificationExperimentConfig.from_partial(SMALL | changes)


def test_every_base_is_trained_once():
    names = [base.name for base in bases(small()) if base.repetition == 0]
    assert names == [
        "one-0-h12-s0",
        "gamma-0.25-h12-s0",
        "success-0.1-h12-s0",
        "one-0-h8-s0",
        "gamma-0.25-h8-s0",
        "one-0-h20-s0",
        "gamma-0.25-h20-s0",
    ]
    assert len(bases(small())) == 14


def test_points_are_every_n_and_the_truth_and_binary_rewards_where_asked():
    names = [p.name for p in points(small()) if p.base.repetition == 0]
    assert names == [
        "one-0-h12-s0-n16-bilevel",
        "one-0-h12-s0-n32-bilevel",
        "one-0-h12-s0-truth-bilevel",
        "one-0-h12-s0-n16-binary",
        "one-0-h12-s0-n32-binary",
        "one-0-h12-s0-truth-binary",
        "gamma-0.25-h12-s0-n16-bilevel",
        "gamma-0.25-h12-s0-n32-bilevel",
        "gamma-0.25-h12-s0-truth-bilevel",
        "gamma-0.25-h12-s0-n16-binary",
        "gamma-0.25-h12-s0-n32-binary",
        "gamma-0.25-h12-s0-truth-binary",
        "success-0.1-h12-s0-n16-bilevel",
        "success-0.1-h12-s0-n32-bilevel",
        "success-0.1-h12-s0-truth-bilevel",
        "one-0-h8-s0-n32-bilevel",
        "one-0-h8-s0-truth-bilevel",
        "gamma-0.25-h8-s0-n32-bilevel",
        "gamma-0.25-h8-s0-truth-bilevel",
        "one-0-h20-s0-n32-bilevel",
        "one-0-h20-s0-truth-bilevel",
        "gamma-0.25-h20-s0-n32-bilevel",
        "gamma-0.25-h20-s0-truth-bilevel",
    ]


def test_units_find_their_base_and_point_again():
    config = small()
    for base in bases(config):
        assert base_of(model_unit(base, "r", "s"), config) == base
        assert base_of(drawing_unit(base, "r", "s"), config) == base
    for point in points(config):
        assert point_of(point_unit(point, "r", "s"), config) == point


def test_names_of_units_differ():
    config = VerificationExperimentConfig()
    names = [point_unit(point, "r", "s").path for point in points(config)]
    assert len(set(names)) == len(names)


def test_mixtures_of_one_repetition_have_the_same_questions():
    config = small()
    first, second, *_ = bases(config)
    assert first.seed(config, "questions") == second.seed(config, "questions")
    assert first.seed(config, "questions") != bases(config)[7].seed(config, "questions")


def test_enough_is_drawn_for_the_largest_n():
    config = small()
    for base in bases(config):
        p_success = base.mixture.p_success(base.horizon)
        assert num_drawn(base, config) * p_success > max(base.nums) + 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 4}, "horizon of at least the 5 symbols of the gold, got 4"),
        ({"horizons": [3, 8, 12]}, "at least the 5 symbols of the gold, got 3"),
        ({"horizons": [8, 12]}, "three or more for a fit"),
        ({"holds": [{"hold": "gamma", "spreads": [0.0]}]}, "a mixture without variance"),
        ({"holds": [{"hold": "gamma", "spreads": [0.5]}]}, r"gammas in \(0, 1\), got 0 and 1"),
        ({"horizon_spreads": [0.7]}, r"gammas in \(0, 1\)"),
        ({"reference": 1.0}, "less than 1"),
        ({"nums": [16, 16]}, "nums: expected different values"),
        ({"nums": [1]}, "at least 2"),
        ({"binary_holds": ["reward"]}, "binary_holds: expected some of gamma, success, got reward"),
        ({"num_drawn": 30}, "num_drawn 30: expected enough for 40 right traces of one-0-h12-s0"),
        (
            {"holds": [{"hold": "expert", "spreads": [0.4]}], "binary_holds": [], "nums": [9999]},
            "expert-0.4-h12-s0: only 0.00.* of its traces are right",
        ),
    ],
)
def test_what_cannot_be_studied_is_refused_before_any_work(changes, message):
    with pytest.raises(ValueError, match=message):
        points(small(**changes))
