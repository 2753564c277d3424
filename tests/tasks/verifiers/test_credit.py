"""A reward divided among tokens: published goldens, exact sums, bad input."""

import math
import random

import pytest

from schemas.errors import RewardNotFinite
from tasks.verifiers.credit import (
    equal_shares,
    last_share,
    shaped_return,
    spread,
    step_token_rewards,
    to_shares,
)


def test_the_published_example():
    assert spread(2.0, [0.1, 0.2, 0.3, 0.4], 0.8) == pytest.approx([0.16, 0.32, 0.48, 1.04])


def test_no_beta_is_the_sparse_reward_and_one_gives_all_by_attention():
    shares = [0.1, 0.2, 0.3, 0.4]
    assert spread(-3.0, shares, 0.0) == [0.0, 0.0, 0.0, -3.0]
    assert spread(-3.0, last_share(4), 0.8) == [0.0, 0.0, 0.0, -3.0]
    assert spread(-3.0, shares, 1.0) == pytest.approx([-0.3, -0.6, -0.9, -1.2])
    assert spread(-3.0, equal_shares(4), 1.0) == [-0.75] * 4
    assert spread(5.0, [1.0], 0.8) == [5.0]


def test_the_sum_is_the_total_whatever_the_shares():
    rng = random.Random(0)
    for _ in range(500):
        num = rng.randint(1, 300)
        shares = to_shares([rng.expovariate(1) ** 4 for _ in range(num)])
        total = rng.choice([rng.gauss(0, 1), rng.gauss(0, 1e-6), rng.gauss(0, 1e4), 0.0])
        assert math.fsum(spread(total, shares, rng.random())) == total


def test_attention_becomes_shares():
    assert to_shares([1.0, 0.0, 3.0]) == [0.25, 0.0, 0.75]


@pytest.mark.parametrize("total", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_no_number_is_refused(total):
    with pytest.raises(RewardNotFinite, match=f"R: expected a finite number, got {total}"):
        spread(total, [1.0], 0.8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: spread(1.0, [], 0.8), "expected a share .* for each token"),
        (lambda: spread(1.0, [0.5, 0.4], 0.8), "sum 0.9"),
        (lambda: spread(1.0, [1.5, -0.5], 0.8), "at least 0"),
        (lambda: spread(1.0, [1.0], 1.5), r"beta: expected a number in \[0, 1\], got 1.5"),
        (lambda: spread(1.0, [math.nan, 1.0], 0.5), "share 0: expected a finite number"),
        (lambda: to_shares([0.0, 0.0]), "got the sum 0"),
        (lambda: to_shares([2.0, -1.0]), "at least 0"),
        (lambda: to_shares([1.0, math.inf]), "attention 1: expected a finite number, got inf"),
        (lambda: step_token_rewards([0.5], [1, 3], 4), "a score for each of 2 steps"),
        (lambda: step_token_rewards([0.5, math.nan], [1, 3], 4), "score of step 1"),
        (lambda: step_token_rewards([0.5], [0], 0), "0 tokens"),
    ],
)
def test_what_cannot_be_divided_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_steps_earn_at_their_last_token_and_the_sum_is_the_lowest_score():
    rewards = step_token_rewards([0.9, 0.4, 0.7, 0.3], [2, 3, 5, 7], 9)
    assert rewards == pytest.approx([0, 0, -0.1, -0.5, 0, 0.0, 0, -0.1, 1])
    rng = random.Random(1)
    for _ in range(200):
        scores = [rng.random() for _ in range(rng.randint(1, 8))]
        ends = sorted(rng.randrange(20) for _ in scores[: rng.randint(0, len(scores))])
        rewards = step_token_rewards(scores, ends, 20)
        assert sum(rewards) == pytest.approx(min(scores))
        assert sum(rewards) == pytest.approx(shaped_return(scores))


def test_what_given_steps_earn_is_the_last_tokens():
    rewards = step_token_rewards([0.9, 0.4, 0.7, 0.3], [1, 3], 4)
    assert rewards == pytest.approx([0, 0.0, 0, -0.1 + 0.4])
