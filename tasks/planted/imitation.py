"""The verifier-free arm: the base is trained on its own right traces (rejection sampling, SFT).

Every rate is trained for a number of epochs, and one policy of all these is kept, by one of two
figures. Likelihood is that of further right traces, so that no reward is looked at. Reward is the
true one on questions of their own, an advantage that the verifier-based arm does not get. The base
itself is among them as zero epochs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.experiments.planted import ImitationConfig, RewardKind
from tasks.planted.model import copy_of, sample, symbol_logprobs, trace_logprobs
from tasks.planted.traces import Traces, draw_inputs, hitting_times, rewards_at, seeded
from tasks.planted.training import Best, Descent, batches, num_batches


@dataclass(frozen=True, slots=True, eq=False)
class Imitator:
    """A policy that was kept."""

    policy: Any
    rate: float
    epochs: int
    """0 where no training did better than the base."""


@dataclass(frozen=True, slots=True, eq=False)
class Imitators:
    """The policies kept by each figure."""

    by_reward: Imitator
    by_likelihood: Imitator


def imitate(
    base: Any,
    right: Traces,
    held_out: Traces,
    reward: RewardKind,
    config: ImitationConfig,
    seed: int,
) -> Imitators:
    """The best policies over rates and epochs.

    Args:
        base: where every training starts.
        right: the right traces.
        held_out: further right traces, which are not trained on.
        reward: the true reward.
        config: what is tried.
        seed: of the orders of batches, and of the questions that decide.

    Raises:
        ValueError: there is no trace to train on, or none to compare by.
    """
    if not len(right) or not len(held_out):
        raise ValueError(
            f"expected right traces to imitate and to compare by, got {len(right)} and "
            f"{len(held_out)}"
        )
    dev = draw_inputs(config.num_dev_questions, seeded(seed + 1))
    by_reward, by_likelihood = Best(), Best()
    for rate, epoch, policy in _trainings(base, right, config, seed):
        traces = sample(policy, dev, right.horizon, seeded(seed + 2))
        value = rewards_at(hitting_times(traces), right.horizon, reward).mean().item()
        by_reward.offer(value, (rate, epoch), policy)
        by_likelihood.offer(trace_logprobs(policy, held_out).mean().item(), (rate, epoch), policy)
    return Imitators(_kept(base, by_reward), _kept(base, by_likelihood))


def _trainings(
    base: Any, right: Traces, config: ImitationConfig, seed: int
) -> Iterator[tuple[float, int, Any]]:
    """The base, then the policy after every epoch of every rate, up to a divergence."""
    from tasks.training.common import TrainingDiverged

    yield 0.0, 0, base
    num_steps = config.max_epochs * num_batches(len(right), config.batch_traces)
    for rate in config.rates:
        policy, generator = copy_of(base), seeded(seed)
        descent = Descent(policy, hidden_lr=rate, num_steps=num_steps)
        for epoch in range(1, config.max_epochs + 1):
            try:
                for at in batches(len(right), config.batch_traces, generator):
                    descent.step(-symbol_logprobs(policy, right[at]).mean())
            except TrainingDiverged:
                break
            yield rate, epoch, policy


def _kept(base: Any, best: Best) -> Imitator:
    rate, epochs = best.at
    return Imitator(best.restore(copy_of(base)), rate, epochs)
