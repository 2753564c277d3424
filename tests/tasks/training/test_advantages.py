"""Rewards, advantages and clipped losses, computed by hand."""

import math
import random

import pytest
import torch

from tasks.training.advantages import (
    advantages_and_returns,
    paid_per_token,
    paid_to_written,
    policy_losses,
    value_losses,
    whitened,
)

MASK = torch.tensor([[1, 1, 1], [1, 0, 0]])


def test_a_number_is_paid_at_the_last_token_and_a_list_token_by_token():
    assert paid_per_token([2.0, [3.0]], MASK).tolist() == [[0, 0, 2], [3, 0, 0]]
    assert paid_per_token([[1.0, 0.0, -12.0], None], MASK, clip=10.0).tolist() == [
        [1, 0, -10],
        [0, 0, 0],
    ]
    with pytest.raises(ValueError, match="solution 0: expected a reward for each of 3 tokens"):
        paid_per_token([[1.0], 1.0], MASK)


def test_generalised_advantages_are_those_computed_by_hand():
    rewards = torch.tensor([[0.0, 0.5, 1.0], [2.0, 9.0, 9.0]])
    values = torch.tensor([[0.1, 0.2, 0.4], [0.5, 7.0, 7.0]])
    # lambda 1, gamma 1: the sum of what follows, less the value.
    advantages, returns = advantages_and_returns(rewards, values, MASK, gamma=1, gae_lambda=1)
    assert advantages.tolist()[0] == pytest.approx([1.4, 1.3, 0.6])
    assert returns.tolist()[0] == pytest.approx([1.5, 1.5, 1.0])
    assert advantages.tolist()[1] == pytest.approx([1.5, 0, 0])
    assert returns.tolist()[1] == pytest.approx([2.0, 0, 0])
    # gamma .5, lambda .5: deltas are 0 + .1 - .1, .5 + .2 - .2 and 1 - .4.
    advantages, returns = advantages_and_returns(rewards, values, MASK, gamma=0.5, gae_lambda=0.5)
    assert advantages.tolist()[0] == pytest.approx([0.25 * (0.5 + 0.25 * 0.6), 0.65, 0.6])
    assert returns.tolist()[0] == pytest.approx([0.1625 + 0.1, 0.85, 1.0])
    # lambda 0: the difference of one step.
    advantages, _ = advantages_and_returns(rewards, values, MASK, gamma=1, gae_lambda=0)
    assert advantages.tolist()[0] == pytest.approx([0.1, 0.7, 0.6])


def test_what_programs_printed_is_no_action_and_its_pay_goes_to_the_one_before():
    written = torch.tensor([[1, 0, 1], [0, 1, 1]])
    paid = torch.tensor([[0.0, 0.5, 1.0], [1.0, 0.0, 2.0]])
    rewards = paid_to_written(paid, written)
    assert rewards.tolist() == [[0.5, 0, 1], [0, 1, 2]]
    values = torch.tensor([[0.1, 9.0, 0.4], [9.0, 0.2, 0.3]])
    # gamma .5, lambda .5: the deltas are .5 + .2 - .1 and 1 - .4, then 1 + .15 - .2 and 2 - .3.
    advantages, returns = advantages_and_returns(
        rewards, values, written, gamma=0.5, gae_lambda=0.5
    )
    assert advantages.tolist()[0] == pytest.approx([0.6 + 0.25 * 0.6, 0, 0.6])
    assert returns.tolist()[0] == pytest.approx([0.85, 0, 1.0])
    assert advantages.tolist()[1] == pytest.approx([0, 0.95 + 0.25 * 1.7, 1.7])
    assert paid_to_written(paid[:1], torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


def test_advantages_are_the_weighted_sums_of_all_later_differences():
    rng = random.Random(0)
    for _ in range(50):
        num, length = 6, rng.randint(1, 6)
        gamma, lam = rng.random(), rng.random()
        rewards = torch.tensor([[rng.gauss(0, 1) for _ in range(num)]], dtype=torch.float64)
        values = torch.tensor([[rng.gauss(0, 1) for _ in range(num)]], dtype=torch.float64)
        mask = torch.tensor([[1] * length + [0] * (num - length)])
        found, _ = advantages_and_returns(rewards, values, mask, gamma=gamma, gae_lambda=lam)
        r, v = rewards[0].tolist(), [*values[0].tolist()[:length], 0.0]
        deltas = [r[t] + gamma * v[t + 1] - v[t] for t in range(length)]
        for t in range(num):
            expected = sum((gamma * lam) ** (u - t) * deltas[u] for u in range(t, length))
            assert float(found[0, t]) == pytest.approx(expected)


def test_whitened_advantages_have_mean_zero_and_variance_one_where_the_mask_is():
    advantages = torch.tensor([[1.0, 2.0, 3.0], [6.0, 99.0, 99.0]])
    found = whitened(
        advantages, MASK, mean=torch.tensor(3.0), variance=torch.tensor((4 + 1 + 0 + 9) / 4)
    )
    scale = math.sqrt(3.5)
    assert found[0].tolist() == pytest.approx([-2 / scale, -1 / scale, 0])
    assert found[1].tolist() == pytest.approx([3 / scale, 0, 0])


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss"),
    [
        (1.5, 2.0, -2.4),  # no gain above 1.2
        (0.5, 2.0, -1.0),
        (0.5, -2.0, 1.6),  # no gain below 0.8
        (1.5, -2.0, 3.0),
        (1.1, 2.0, -2.2),
    ],
)
def test_a_ratio_beyond_the_clip_gains_nothing(ratio, advantage, loss):
    logprob = torch.tensor([[math.log(0.2 * ratio)]], requires_grad=True)
    found = policy_losses(
        logprob, torch.tensor([[math.log(0.2)]]), torch.tensor([[advantage]]), clip=0.2
    )
    assert found.item() == pytest.approx(loss)
    found.backward()
    is_clipped = (ratio, advantage) in {(1.5, 2.0), (0.5, -2.0)}
    assert logprob.grad is not None
    assert logprob.grad.item() == pytest.approx(0 if is_clipped else -ratio * advantage, abs=1e-6)


@pytest.mark.parametrize(
    ("value", "old", "wanted", "clip", "loss"),
    [
        (1.0, 0.0, 3.0, None, 2.0),
        (1.0, 0.0, 3.0, 0.5, 0.5 * 2.5**2),  # counted as .5, which is further away
        (1.0, 0.0, 0.6, 0.5, 0.5 * 0.4**2),  # the value itself is further away than .5
        (0.2, 0.0, 3.0, 0.5, 0.5 * 2.8**2),
        (-1.0, 0.0, -3.0, 0.5, 0.5 * 2.5**2),
    ],
)
def test_a_value_beyond_the_clip_gains_nothing(value, old, wanted, clip, loss):
    given = [torch.tensor([[each]]) for each in (value, old, wanted)]
    assert value_losses(*given, clip=clip).item() == pytest.approx(loss)
