"""The views of the planted-subsequence study, on rows by hand and on drawn traces."""

from math import log, sqrt

import pytest

from schemas.rows import PlantedSample
from storage import connect, query
from tasks.planted.grid import Base
from tasks.planted.mixtures import Mixture, anti_concentration, exact_figures
from tasks.planted.rows import Writer
from tasks.planted.traces import draw_inputs, draw_traces, mixture_logprobs, seeded

WIDE = Mixture.equal(0.25, 0.75)


def sample(arm, question, hit_time, *, index=0, n=None, score=None, kind="bilevel", logprobs=None):
    reward = 0.0 if hit_time is None else (1.0 if kind == "binary" else 10.0 - hit_time + 1)
    base, mixture = logprobs or (None, None)
    return PlantedSample(
        arm=arm,
        hold="one",
        gammas=(0.5,),
        weights=(1.0,),
        horizon=10,
        seed=0,
        n=n,
        reward_kind=kind,
        question=question,
        sample_index=index,
        inputs=(1, 2, 3, 4, 5),
        symbols=(1,) * 10,
        gamma=0.5 if arm == "teacher" else None,
        hit_time=hit_time,
        reward=reward,
        score=score,
        base_logprob=base,
        mixture_logprob=mixture,
    )


def rows_of(store, unit_of, rows, statement):
    store.commit(unit_of("planted_samples"), rows)
    found = query(connect(store.url), statement)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def test_heterogeneity_of_a_writer_under_both_rewards(store, unit_of):
    rows = [
        sample("base", 0, 5, index=0, logprobs=(-20.0, -21.0)),
        sample("base", 0, 9, index=1, logprobs=(-20.0, -20.0)),
        sample("base", 1, None, index=0, logprobs=(-20.0, -23.0)),
        sample("base", 1, None, index=1, logprobs=(-20.0, -20.0)),
        sample("pool", 0, 5),
    ]
    binary, bilevel = sorted(
        rows_of(store, unit_of, rows, "select * from planted_heterogeneity"),
        key=lambda row: row["mean_reward"],
    )
    # Rewards 6, 2, 0, 0: mean 2, variance (16 + 0 + 4 + 4) / 4; only 6 >= 2 + sqrt(6 / 2).
    assert bilevel["reward_kind"] == "bilevel"
    assert bilevel["num_traces"] == 4
    assert bilevel["mean_reward"] == 2
    assert bilevel["success"] == 0.5
    assert bilevel["heterogeneity"] == 6
    assert bilevel["within_questions"] == 4  # of the first question 8, of the second 0
    assert bilevel["anti_concentration"] == 0.25
    assert bilevel["divergence"] == pytest.approx((1 + 0 + 3 + 0) / 4 / 10)
    assert (binary["mean_reward"], binary["heterogeneity"]) == (0.5, 0.25)
    # Only rewards of 1 reach 1/2 + 1/2 sqrt(1/2).
    assert binary["anti_concentration"] == 0.5


def test_stored_traces_of_a_mixture_have_its_exact_heterogeneity(store, unit_of):
    num, horizon = 20_000, 12
    base = Base(hold="gamma", spread=0.25, mixture=WIDE, horizon=horizon, repetition=0, nums=(16,))
    traces, gammas = draw_traces(WIDE, draw_inputs(num, seeded(1)), horizon, seeded(2))
    exact_logprobs = mixture_logprobs(WIDE, traces)
    table = Writer(base=base, reward="bilevel").rows(
        "teacher",
        traces,
        per_question=1,
        gammas=gammas,
        base_logprobs=exact_logprobs - horizon * log(2),
        mixture_logprobs=exact_logprobs,
    )
    found = rows_of(store, unit_of, table, "select * from planted_heterogeneity")
    assert {row["reward_kind"] for row in found} == {"bilevel", "binary"}
    for row in found:
        kind = row["reward_kind"]
        exact = exact_figures(WIDE, horizon, kind)
        assert tuple(row["gammas"]) == WIDE.gammas
        assert abs(row["mean_reward"] - exact.mean_reward) < 4 * sqrt(exact.heterogeneity / num)
        assert row["heterogeneity"] == pytest.approx(exact.heterogeneity, rel=0.03)
        assert row["anti_concentration"] == pytest.approx(
            anti_concentration(WIDE, horizon, kind, 0.5), abs=0.02
        )
        assert row["divergence"] == pytest.approx(log(2))
        assert row["within_questions"] is None


def test_arms_by_question(store, unit_of):
    rows = [
        sample("vf", 0, 5, index=0, n=16),
        sample("vf", 0, None, index=1, n=16),
        sample("vf", 1, 9, index=0, n=16),
        sample("vf", 1, 9, index=1, n=16),
        sample("vf", 0, 5, n=32),
        sample("vf", 0, 5, n=16, kind="binary"),
        sample("read", 0, 5, n=16, score=1.0),
        sample("pool", 0, 5),
        sample("teacher", 0, 5),
    ]
    found = rows_of(store, unit_of, rows, "select * from planted_arms order by n, reward_kind, arm")
    assert [(row["n"], row["reward_kind"], row["reward"]) for row in found] == [
        (16, "bilevel", 2.5),
        (16, "binary", 1.0),
        (32, "bilevel", 6.0),
    ]
    first = found[0]
    # Questions earn 3 and 2.
    assert first["num_questions"] == 2
    assert first["num_traces"] == 4
    assert first["success"] == 0.75
    assert first["reward_se"] == pytest.approx(sqrt(0.5) / sqrt(2))
    assert found[2]["reward_se"] is None


def test_verifiers_against_the_reward(store, unit_of):
    rows = [
        sample("read", 0, 5, index=0, n=16, score=5.0),
        sample("read", 0, 9, index=1, n=16, score=3.0),
        sample("read", 1, None, n=16, score=2.5),
        sample("vb_rl", 0, 7, n=16, score=5.5),
        sample("vb_bon", 0, 5, n=16, score=5.0),
        sample("vf", 0, 5, n=16),
    ]
    read, trained = rows_of(store, unit_of, rows, "select * from planted_verifiers order by arm")
    assert (read["arm"], read["num_traces"]) == ("read", 3)
    assert read["error"] == pytest.approx((1 + 1 + 2.5) / 3)
    assert read["bias"] == pytest.approx((-1 + 1 + 2.5) / 3)
    assert 0.9 < read["correlation"] < 1
    assert (trained["arm"], trained["error"], trained["bias"]) == ("vb_rl", 1.5, 1.5)


def test_the_cost_of_traces_counts_each_where_it_was_written(store, unit_of):
    rows = [
        sample("pool", 0, 5),
        sample("pool", 1, None),
        sample("teacher", 0, 5),
        sample("read", 0, 5, n=16, score=5.0),
        sample("vb_bon", 0, 5, n=16, score=5.0),
        sample("vb_rl", 0, None, n=16, score=5.0),
    ]
    statement = (
        "select strategy, num_rows, generated_tokens, scored_tokens, num_kept from cost order by 1"
    )
    found = [tuple(row.values()) for row in rows_of(store, unit_of, rows, statement)]
    assert found == [
        ("pool", 2, 20, 0, 1),
        ("read", 1, 0, 10, 1),
        ("teacher", 1, 0, 0, 1),
        ("vb_bon", 1, 0, 0, 1),
        ("vb_rl", 1, 10, 10, 0),
    ]
