"""Traces as tensors, against the analytic engine and by hand."""

from math import log, sqrt

import pytest
import torch

from schemas.engines import PlantedConfig
from tasks.engines.planted_engine import IMAGE, PlantedEngine
from tasks.planted.mixtures import Mixture, exact_figures
from tasks.planted.traces import (
    Traces,
    draw_inputs,
    draw_traces,
    gold_of,
    hitting_times,
    mixture_logprobs,
    next_symbol_probs,
    rewards_at,
    seeded,
)

WIDE = Mixture.equal(0.25, 0.75)
INPUTS = torch.tensor([[3, 7, 1, 9, 2]])
GOLD = [30, 17, 23, 28, 14]


def test_the_gold_is_the_hidden_map_of_the_inputs():
    assert gold_of(INPUTS).tolist() == [GOLD]
    assert gold_of(torch.arange(1, 11)[None]).tolist() == [list(IMAGE)]


@pytest.mark.parametrize(
    ("symbols", "time", "bilevel"),
    [
        ([*GOLD, 1, 2], 5, 3),
        ([1, 30, 17, 1, 23, 28, 14], 7, 1),
        ([30, 17, 23, 28, 1, 2, 3], 0, 0),
        ([17, 30, 23, 28, 14, 1, 1], 0, 0),
        ([30, 30, 17, 23, 28, 14, 14], 6, 2),
    ],
)
def test_hitting_times_and_rewards_by_hand(symbols, time, bilevel):
    times = hitting_times(Traces(INPUTS, torch.tensor([symbols])))
    assert times.tolist() == [time]
    assert rewards_at(times, 7, "bilevel").tolist() == [bilevel]
    assert rewards_at(times, 7, "binary").tolist() == [float(time > 0)]


def test_repeated_gold_symbols_are_each_hit_once():
    inputs = torch.tensor([[4, 4, 4, 4, 4]])
    assert hitting_times(Traces(inputs, torch.full((1, 5), 11))).tolist() == [5]
    assert hitting_times(Traces(inputs, torch.tensor([[11, 11, 11, 11, 3]]))).tolist() == [0]


def test_next_symbols_are_those_of_the_analytic_engine():
    inputs = draw_inputs(40, seeded(1))
    traces, _ = draw_traces(WIDE, inputs, 9, seeded(2))
    probs = next_symbol_probs(WIDE, traces)
    engine = PlantedEngine(PlantedConfig(gammas=(0.25, 0.75), horizon=9))
    for row in range(len(traces)):
        state = engine.begin(f"Map {' '.join(map(str, inputs[row].tolist()))}.")
        for place, symbol in enumerate(traces.symbols[row].tolist()):
            expected = engine.next_steps(state)
            found = probs[row, place, 1:].tolist()
            assert found == pytest.approx([expected[token] for token in range(30)], abs=1e-6)
            state = engine.advance(state, symbol - 1)


def test_the_log_probability_of_a_trace_is_the_sum_of_its_symbols():
    traces, _ = draw_traces(WIDE, draw_inputs(200, seeded(3)), 11, seeded(4))
    probs = next_symbol_probs(WIDE, traces).double()
    summed = probs.gather(2, traces.symbols[..., None])[..., 0].log().sum(1)
    assert torch.allclose(mixture_logprobs(WIDE, traces), summed, atol=1e-5)


def test_the_log_probability_by_hand():
    traces = Traces(INPUTS, torch.tensor([[30, 1, 17, 23, 28, 14, 9]]))
    hits_and_a_miss = (0.25**5 * 0.75 + 0.75**5 * 0.25) / 2
    expected = log(hits_and_a_miss / 29 / 30)
    assert mixture_logprobs(WIDE, traces).item() == pytest.approx(expected)


def test_drawn_traces_have_the_exact_moments():
    num, mixture = 20_000, Mixture((0.25, 0.75), (0.3, 0.7))
    traces, gammas = draw_traces(mixture, draw_inputs(num, seeded(5)), 10, seeded(6))
    rewards = rewards_at(hitting_times(traces), 10, "bilevel")
    exact = exact_figures(mixture, 10, "bilevel")
    assert abs(rewards.mean() - exact.mean_reward) < 4 * sqrt(exact.heterogeneity / num)
    assert rewards.var().item() == pytest.approx(exact.heterogeneity, rel=0.05)
    assert (gammas == 0.75).float().mean().item() == pytest.approx(0.7, abs=0.02)


def test_a_trace_is_written_with_one_skill():
    traces, gammas = draw_traces(WIDE, draw_inputs(20_000, seeded(7)), 5, seeded(8))
    is_right = hitting_times(traces) > 0
    for gamma in WIDE.gammas:
        share = is_right[gammas == gamma].float().mean().item()
        assert share == pytest.approx(gamma**5, abs=0.02)


def test_equal_seeds_draw_equal_traces():
    inputs = draw_inputs(50, seeded(9))
    first, _ = draw_traces(WIDE, inputs, 8, seeded(10))
    second, _ = draw_traces(WIDE, inputs, 8, seeded(10))
    assert torch.equal(first.symbols, second.symbols)
    assert not torch.equal(first.symbols, draw_traces(WIDE, inputs, 8, seeded(11))[0].symbols)
