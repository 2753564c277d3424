"""Traces of the planted subsequence as tensors: drawn from a mixture, rewarded, and priced exactly.

Inputs are x in {1..10}^K, the gold is f(x) and symbols are {1..30}, as in the analytic engine
(`tasks.engines.planted_engine`), the oracle of this module. A trace of a mixture is written with
one skill: the next gold symbol with probability gamma, else one of the 29 others evenly; once
the gold is complete every symbol is equally likely.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.experiments.planted import RewardKind
from tasks.engines.planted_engine import IMAGE, NUM_GOLD, NUM_SYMBOLS
from tasks.planted.mixtures import Mixture

if TYPE_CHECKING:
    from torch import Generator, Tensor

NUM_INPUTS = len(IMAGE)
"""Values of an input symbol."""


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """A batch of solutions."""

    inputs: "Tensor"
    """[num_traces, K] in 1..10."""
    symbols: "Tensor"
    """[num_traces, H] in 1..30."""

    def __len__(self) -> int:
        """The number of traces."""
        return len(self.inputs)

    def __getitem__(self, chosen: "Tensor | slice") -> "Traces":
        """Some of the traces."""
        return Traces(self.inputs[chosen], self.symbols[chosen])

    @property
    def horizon(self) -> int:
        """Symbols of a trace (H)."""
        return self.symbols.shape[1]


def seeded(seed: int) -> "Generator":
    """A generator of random numbers of its own."""
    import torch

    return torch.Generator().manual_seed(seed)


def draw_inputs(num: int, generator: "Generator") -> "Tensor":
    """[num, K] questions, drawn evenly."""
    import torch

    return torch.randint(1, NUM_INPUTS + 1, (num, NUM_GOLD), generator=generator)


def gold_of(inputs: "Tensor") -> "Tensor":
    """[num, K] the gold symbols of questions."""
    import torch

    return torch.tensor(IMAGE)[inputs - 1]


def draw_traces(
    mixture: Mixture, inputs: "Tensor", horizon: int, generator: "Generator"
) -> "tuple[Traces, Tensor]":
    """A trace of the mixture for each question, and the skill it was written with, [num]."""
    import torch

    num, num_gold = inputs.shape
    weights, skills = torch.tensor(mixture.weights), torch.tensor(mixture.gammas)
    gammas = skills[torch.multinomial(weights, num, replacement=True, generator=generator)]
    gold = gold_of(inputs)
    num_hits = torch.zeros(num, dtype=torch.long)
    symbols = []
    for _ in range(horizon):
        is_open = num_hits < num_gold
        wanted = gold.gather(1, num_hits.clamp(max=num_gold - 1)[:, None])[:, 0]
        is_hit = is_open & (torch.rand(num, generator=generator) < gammas)
        shift = torch.randint(1, NUM_SYMBOLS, (num,), generator=generator)
        other = (wanted - 1 + shift) % NUM_SYMBOLS + 1
        free = torch.randint(1, NUM_SYMBOLS + 1, (num,), generator=generator)
        symbols.append(torch.where(is_hit, wanted, torch.where(is_open, other, free)))
        num_hits += is_hit
    return Traces(inputs, torch.stack(symbols, 1)), gammas


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """How far the gold had come before each symbol of some traces."""

    wanted: "Tensor"
    """[num_traces, H] the next gold symbol; the last one where the gold was complete."""
    num_hits: "Tensor"
    """[num_traces, H + 1] gold symbols written before each symbol, and at the end."""


def progress_of(traces: Traces) -> Progress:
    """Follow traces through the gold."""
    import torch

    gold = gold_of(traces.inputs)
    last = gold.shape[1] - 1
    hits = [torch.zeros(len(traces), dtype=torch.long)]
    wanted = []
    for symbol in traces.symbols.unbind(1):
        wanted.append(gold.gather(1, hits[-1].clamp(max=last)[:, None])[:, 0])
        hits.append(hits[-1] + ((hits[-1] <= last) & (symbol == wanted[-1])))
    return Progress(torch.stack(wanted, 1), torch.stack(hits, 1))


def hitting_times(traces: Traces) -> "Tensor":
    """[num_traces] the symbol, from 1, that completes the gold; 0 where none does."""
    import torch

    is_whole = progress_of(traces).num_hits[:, 1:] == NUM_GOLD
    first = is_whole.int().argmax(1) + 1
    return torch.where(is_whole[:, -1], first, 0)


def rewards_at(times: "Tensor", horizon: int, reward: RewardKind) -> "Tensor":
    """[num_traces] the rewards of hitting times; 0 where the gold was never complete."""
    is_right = times > 0
    return (is_right if reward == "binary" else is_right * (horizon - times + 1)).float()


def next_symbol_probs(mixture: Mixture, traces: Traces) -> "Tensor":
    """[num_traces, H, 31] the exact probability of each symbol id, given those before it."""
    import torch

    progress = progress_of(traces)
    num_hits = progress.num_hits[:, :-1]
    table = torch.tensor(
        [
            [mixture.p_hit(hits, misses) for misses in range(traces.horizon)]
            for hits in range(NUM_GOLD)
        ]
    )
    is_open = num_hits < NUM_GOLD
    num_misses = torch.arange(traces.horizon) - num_hits.clamp(max=NUM_GOLD - 1)
    p_hit = table[num_hits.clamp(max=NUM_GOLD - 1), num_misses.clamp(min=0)]
    p_hit = torch.where(is_open, p_hit, 1 / NUM_SYMBOLS)
    probs = ((1 - p_hit) / (NUM_SYMBOLS - 1))[..., None].repeat(1, 1, NUM_SYMBOLS + 1)
    probs.scatter_(2, progress.wanted[..., None], p_hit[..., None])
    probs[..., 0] = 0.0
    return probs


def mixture_logprobs(mixture: Mixture, traces: Traces) -> "Tensor":
    """[num_traces] the exact log probability of each trace's symbols under the mixture, in nats."""
    import torch

    times, num_hits = hitting_times(traces), progress_of(traces).num_hits[:, -1]
    spent = torch.where(times > 0, times, traces.horizon)
    skills = torch.tensor(mixture.gammas, dtype=torch.float64)
    weights = torch.tensor(mixture.weights, dtype=torch.float64)
    by_skill = (
        weights.log()
        + num_hits[:, None] * skills.log()
        + (spent - num_hits)[:, None] * ((1 - skills).log() - math.log(NUM_SYMBOLS - 1))
    )
    return by_skill.logsumexp(1) - (traces.horizon - spent) * math.log(NUM_SYMBOLS)
