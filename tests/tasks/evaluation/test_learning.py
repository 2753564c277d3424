"""How fast a training learns: hand-computed areas, targets and rows; the picture."""

from typing import Any

import pytest

from flows.pages.learning_plots import plot_learning
from schemas.experiments.dense_rewards import DenseRewardsConfig
from schemas.rows import TRAJECTORIES
from tasks.evaluation.learning import (
    Draw,
    learning_rows,
    mean_right,
    read_draws,
    tokens_to_reach,
)

DRAWS = [Draw(100, 0.2), Draw(50, 0.4), Draw(150, 0.8)]


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (0, 300, (100 * 0.2 + 50 * 0.4 + 150 * 0.8) / 300),
        (0, 100, 0.2),
        (0, 200, (20 + 20 + 50 * 0.8) / 200),
        (125, 175, (25 * 0.4 + 25 * 0.8) / 50),
        (250, 1000, 0.8),
    ],
)
def test_the_share_of_right_solutions_is_averaged_over_tokens(begin, end, expected):
    assert mean_right(DRAWS, begin, end) == pytest.approx(expected)


def test_nothing_drawn_has_no_mean():
    with pytest.raises(ValueError, match="expected draws between 300 and 400 tokens, got 300"):
        mean_right(DRAWS, 300, 400)


@pytest.mark.parametrize(
    ("target", "window", "expected"),
    [(0.2, 1, 100), (0.4, 1, 150), (0.6, 1, 300), (0.26, 2, 150), (0.9, 1, 999), (0.1, 4, 999)],
)
def test_a_target_is_reached_by_the_mean_of_the_last_draws(target, window, expected):
    assert tokens_to_reach(DRAWS, target, window=window, limit=999) == expected
    assert tokens_to_reach(DRAWS, target, window=window, limit=120) <= 120


def test_draws_are_read_from_the_rows_of_a_training(store, unit_of, make_trajectory):
    def drawn(name, step, **fields):
        values = {"strategy": "ppo", "training_step": step, "generated_tokens": 10}
        return make_trajectory(name, **{**values, **fields})

    rows = [
        drawn("a", 0, correct=True),
        drawn("b", 0, correct=False),
        drawn("c", 0, correct=None, answer=None, status="truncated"),
        drawn("d", 0, correct=None),  # could not be judged
        drawn("e", 4, correct=True, generated_tokens=7),
        drawn("f", 8, correct=None),
    ]
    unit = unit_of(TRAJECTORIES.name, run_id="r.sparse-0", stage="policy_training")
    store.commit(unit, rows)
    store.commit(unit_of(TRAJECTORIES.name, run_id="r.sparse-0"), [make_trajectory("s")])
    assert read_draws(store, "r.sparse-0") == [Draw(40, 1 / 3, 1), Draw(7, 1.0, 1)]
    assert read_draws(store, "other") == []


def rows_of(credit, seed, draws=DRAWS):
    return learning_rows(
        draws,
        policy="policy-0",
        verifier="verifier-0",
        credit=credit,
        seed=seed,
        budget=240,
        target=0.6,
    )


def test_rows_hold_speed_end_and_curve_of_a_seed():
    rows = rows_of("attention", 1)
    figures = {(row.metric, row.bin): row.value for row in rows}
    assert figures["mean_right", "all"] == pytest.approx((20 + 20 + 90 * 0.8) / 240)
    assert figures["final_right", "all"] == pytest.approx(0.8)
    assert figures["tokens_to_target", "all"] == 240  # there are fewer draws than are averaged
    assert figures["p_right", "tokens=20"] == pytest.approx(0.2)
    assert figures["p_right", "tokens=120"] == pytest.approx(0.4)
    assert figures["p_right", "tokens=240"] == pytest.approx(0.8)
    assert {(row.strategy, row.arm, row.policy) for row in rows} == {
        ("attention", "seed=1", "policy-0")
    }


def test_a_picture_has_a_line_per_credit(tmp_path):
    rows = [row for credit in ("attention", "sparse") for s in (0, 1) for row in rows_of(credit, s)]
    plot_learning(rows, tmp_path / "learning.png", budget=240)
    assert (tmp_path / "learning.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="expected points of curves among 0 figures"):
        plot_learning([], tmp_path / "none.png", budget=1)


def test_the_relations_are_those_of_the_credits_that_are_compared():
    def points(**fields):
        config = DenseRewardsConfig.model_validate(fields)
        return [(relation.name, relation.point) for relation in config.relations()]

    assert len(points()) == 7
    assert points(credits=["attention", "sparse"]) == [
        ("abc_faster", "than sparse, share of right solutions"),
        ("abc_faster", "than sparse, tokens to 0.6"),
        ("same_optimum", "share of right solutions in the last fifth of the tokens"),
    ]
    assert points(credits=["sparse"]) == []
    assert points(size="quick") == points(credits=["attention", "sparse"])
    with pytest.raises(ValueError, match="compared at equal tokens, got None"):
        DenseRewardsConfig.model_validate({"training": {"max_generated_tokens": None}})


def test_trainings_differ_in_credit_and_seed_alone():
    config = DenseRewardsConfig.model_validate({"verifier": {"model": "rm"}, "states": "set-1"})
    jobs: dict[str, Any] = dict(config.planned())
    assert len(jobs) == 12
    assert "line" not in jobs
    one, other = jobs["attention-0"], jobs["policy-attention-0"]
    reward = one.method.reward.with_fields(credit="policy_attention")
    assert one.with_fields(method=one.method.with_fields(reward=reward)) == other
    assert one.method.reward.verifier.model == "rm"
    assert {job.method.seed for job in jobs.values()} == {0, 1, 2}
    assert "line" in dict(DenseRewardsConfig().planned())
    assert (
        DenseRewardsConfig(seed=5).training_job("sparse", 1, config.verifier, "set-1").method.seed
        == 6
    )
