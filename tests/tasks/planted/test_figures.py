"""Figures of the study from rows of its views."""

import pytest

from schemas.experiments import StoredFigure
from schemas.experiments.verification import VerificationExperimentConfig
from schemas.rows import Metric
from tasks.planted.figures import Measured, study_figures
from tasks.planted.grid import bases

CONFIG = VerificationExperimentConfig.from_partial(
    {
        "horizon": 8,
        "holds": [{"hold": "gamma", "spreads": [0.25]}],
        "nums": [16],
        "horizons": [8, 12, 18],
        "horizon_spreads": [0.25],
        "horizon_num": 16,
        "num_seeds": 1,
        "imitation": {"num_dev_questions": 8},
    }
)
MODELS = {base.name: f"model of {base.name}" for base in bases(CONFIG)}


def arm(name: str, reward: float, **changes: object) -> dict[str, object]:
    return {
        "hold": "gamma",
        "gammas": [0.25, 0.75],
        "weights": [0.5, 0.5],
        "horizon": 8,
        "reward_kind": "bilevel",
        "n": 16,
        "seed": 0,
        "arm": name,
        "num_questions": 100,
        "num_traces": 400,
        "reward": reward,
        "reward_se": 0.1,
        "success": 0.5,
        **changes,
    }


def figures(*arms: dict[str, object]) -> list[Metric]:
    return study_figures(CONFIG, Measured(heterogeneity=[], arms=arms, verifiers=[]), MODELS)


def one(rows: list[Metric], strategy: str, metric: str, **columns: object) -> Metric:
    (row,) = [
        row
        for row in rows
        if (row.strategy, row.metric) == (strategy, metric)
        and all(getattr(row, name) == value for name, value in columns.items())
    ]
    return row


def test_an_arm_has_its_reward_its_gap_and_the_distance_to_its_limit():
    rows = figures(arm("vf", 2.0), arm("vf_likelihood", 1.5), arm("vb_rl", 3.0))
    where = {"set_name": "gamma-0.25-h8-bilevel", "arm": "seed=0", "budget": 16}
    reward = one(rows, "vb_rl", "reward", **where)
    assert (reward.value, reward.policy) == (3.0, "model of gamma-0.25-h8-s0")
    assert reward.ci_high == pytest.approx(3.196, abs=1e-3)
    assert one(rows, "vb_rl", "gap", against="vf", **where).value == 1.0
    assert one(rows, "vb_rl", "gap", against="vf_likelihood", **where).value == 1.5
    assert one(rows, "vb_rl", "limit_distance", **where).value == pytest.approx(4 - 3)
    # Right traces of {.25, .75} earn 2.693 at H = 8.
    assert one(rows, "vf", "limit_distance", **where).value == pytest.approx(0.693, abs=1e-3)
    exact = {"set_name": "gamma-0.25-h8-bilevel", "arm": "seed=0", "budget": None}
    assert one(rows, "exact", "imitation_limit", **exact).value == pytest.approx(2.693, abs=1e-3)
    assert one(rows, "exact", "mean_gamma", **exact).value == pytest.approx(0.5)


def test_gaps_over_horizons_are_fitted_for_every_seed():
    rows = figures(
        *(
            row
            for horizon, gap in ((8, 0.8), (12, 1.2), (18, 1.8))
            for row in (arm("vf", 1.0, horizon=horizon), arm("vb_rl", 1.0 + gap, horizon=horizon))
        )
    )
    exponent = one(rows, "vb_rl", "gap_exponent", against="vf")
    assert exponent.value == pytest.approx(1.0)
    assert (exponent.set_name, exponent.arm) == ("gamma-0.25-horizons", "seed=0")
    assert one(rows, "vb_rl", "gap_scale", against="vf").value == pytest.approx(0.1)


def test_horizons_that_are_not_all_measured_are_not_fitted():
    rows = figures(arm("vf", 1.0), arm("vb_rl", 1.8))
    assert not [row for row in rows if row.metric.startswith("gap_")]


def test_a_gap_that_is_not_above_zero_has_no_exponent_but_a_multiple_of_the_root():
    rows = figures(
        *(
            row
            for horizon, gap in ((8, -0.1), (12, 1.2), (18, 1.8))
            for row in (arm("vf", 1.0, horizon=horizon), arm("vb_rl", 1.0 + gap, horizon=horizon))
        )
    )
    names = {row.metric for row in rows if row.strategy == "vb_rl"}
    assert "gap_root_scale" in names
    assert "gap_exponent" not in names


def test_relations_name_figures_that_the_study_stores():
    rows = figures(
        *(
            row
            for horizon in (8, 12, 18)
            for hold, gammas in (("gamma", [0.25, 0.75]), ("one", [0.5]))
            for row in (
                arm("vf", 1.0, horizon=horizon, hold=hold, gammas=gammas),
                arm("vf_likelihood", 1.0, horizon=horizon, hold=hold, gammas=gammas),
                arm("vb_rl", 1.0 + horizon / 10, horizon=horizon, hold=hold, gammas=gammas),
            )
            if hold == "gamma" or horizon == 8
        )
    )
    stored = {(r.set_name, r.strategy, r.metric, r.budget, r.against) for r in rows}
    for relation in CONFIG.relations():
        for side in (relation.larger, relation.smaller):
            if isinstance(side, StoredFigure):
                key = (side.set_name, side.strategy, side.metric, side.budget)
                assert any(key == found[:4] for found in stored), relation.point
