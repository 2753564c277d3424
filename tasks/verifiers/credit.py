"""A solution's reward R, divided among its tokens: dense rewards with the sum R.

Attention-based credit (ABC, arXiv:2402.00782) gives token t the share a_t of a reward model's
attention:

    r_t = beta * a_t * R,  and (1 - beta) * R more for the last token

Up to a constant, that is potential-based shaping: with a discount of 1, and with shares that the
finished text alone decides, the policies that earn most are those that earn most by R at the last
token. Estimates of advantages with lambda < 1 do differ, which is the purpose.

Rewards of steps are the changes of a potential: the lowest score so far, which is 1 before the
first step.

    m_0 = 1,  m_k = min(m_(k-1), s_k),  reward of step k = m_k - m_(k-1) <= 0

They telescope: their sum is m_K - 1, so with 1 added at the last token the whole is the lowest
score. Adding, repeating or splitting a step can lower it or leave it, but never raise it (min-form
credit, arXiv:2504.15275).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Self

from schemas.errors import RewardNotFinite
from schemas.rows import TokenRewards, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited(Sequence[float]):
    """A solution's reward by token; as a sequence, the tokens' rewards."""

    rewards: tuple[float, ...]
    """[num_tokens] what each sampled token earns."""
    total: float
    """R."""
    shares: tuple[float, ...] | None
    """[num_tokens] how attention divided it, with the sum 1; None for rewards of steps."""
    pieces: tuple[str, ...]
    """[num_tokens] what each token wrote."""
    reward: str
    """Who decided the shares, with the settings."""
    reader: str
    """The model that said R."""
    scored_tokens: int
    """Tokens that models read for it."""

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.rewards)

    def __getitem__(self, index: Any) -> Any:
        """The reward of a token."""
        return self.rewards[index]

    def less(self, penalty: float) -> Self:
        """The same with a penalty that the last token pays."""
        rewards = (*self.rewards[:-1], self.rewards[-1] - penalty)
        return replace(self, rewards=rewards, total=self.total - penalty)


def to_row(trajectory_id: str, credited: Credited) -> TokenRewards:
    """The row of a solution that was rewarded by token."""
    return TokenRewards(
        trajectory_id=trajectory_id,
        reward=credited.reward,
        verifier=credited.reader,
        total=credited.total,
        tokens=credited.pieces,
        shares=credited.shares,
        rewards=credited.rewards,
        scored_tokens=credited.scored_tokens,
        created_at=now(),
    )


def spread(total: float, shares: Sequence[float], beta: float) -> list[float]:
    """[num_tokens] rewards whose sum is the total to the last bit that `math.fsum` tells.

    The last token earns what the others leave, which is its own part of both terms.

    Args:
        total: R.
        shares: [num_tokens] not negative, with the sum 1.
        beta: the part of R that is divided by the shares; the rest is the last token's.

    Raises:
        RewardNotFinite: the total or a share is not a finite number.
        ValueError: there is no token, or the shares are no shares.
    """
    check_finite("R", [total])
    check_finite("share", shares)
    if not shares or min(shares) < 0 or not math.isclose(math.fsum(shares), 1.0, abs_tol=1e-6):
        raise ValueError(
            "expected a share of at least 0 for each token, with the sum 1, got "
            f"{len(shares)} with the sum {math.fsum(shares)}"
        )
    if not 0 <= beta <= 1:
        raise ValueError(f"beta: expected a number in [0, 1], got {beta}")
    rewards = [beta * share * total for share in shares[:-1]]
    return [*rewards, math.fsum([total, *(-reward for reward in rewards)])]


def to_shares(weights: Sequence[float]) -> list[float]:
    """Weights divided by their sum.

    Raises:
        RewardNotFinite: a weight is not a finite number.
        ValueError: a weight is negative, or all are 0.
    """
    check_finite("attention", weights)
    whole = math.fsum(weights)
    if not whole > 0 or min(weights) < 0:
        raise ValueError(
            f"expected attention of at least 0 to each token, and more to some, got the sum {whole}"
        )
    return [weight / whole for weight in weights]


def equal_shares(num_tokens: int) -> list[float]:
    """The same share for each token."""
    return [1.0 / num_tokens] * num_tokens


def last_share(num_tokens: int) -> list[float]:
    """Everything for the last token."""
    return [0.0] * (num_tokens - 1) + [1.0]


def step_rewards(scores: Sequence[float]) -> list[float]:
    """What each step earns, in [-1, 0]; the sum is the lowest score minus one."""
    potentials = accumulate(scores, min, initial=1.0)
    return [after - before for before, after in pairwise(potentials)]


def shaped_return(scores: Sequence[float]) -> float:
    """What a solution earns by its steps' scores: its final potential, in [0, 1]."""
    return 1.0 + sum(step_rewards(scores))


def step_token_rewards(
    scores: Sequence[float], last_tokens: Sequence[int], num_tokens: int
) -> list[float]:
    """[num_tokens] each step's reward at its last token; the sum is the lowest score.

    Args:
        scores: [num_steps] in [0, 1], of all steps of the solution.
        last_tokens: [num_steps or fewer] index of the last token of each of the last steps; steps
            before them were given, and what they earn is the last token's, as is the 1 added.
        num_tokens: sampled tokens.

    Raises:
        RewardNotFinite: a score is not a finite number.
        ValueError: there are fewer scores than steps, or no token.
    """
    check_finite("score of step", scores)
    if len(scores) < len(last_tokens) or num_tokens < 1:
        raise ValueError(
            f"expected a score for each of {len(last_tokens)} steps with tokens, "
            f"got {len(scores)} scores and {num_tokens} tokens"
        )
    rewards = [0.0] * num_tokens
    earned = step_rewards(scores)
    num_given = len(scores) - len(last_tokens)
    for reward, token in zip(earned[num_given:], last_tokens, strict=True):
        rewards[token] += reward
    rewards[-1] += 1.0 + sum(earned[:num_given])
    return rewards


def check_finite(name: str, values: Sequence[float]) -> None:
    """Refuse numbers that are none.

    Raises:
        RewardNotFinite: says which.
    """
    for index, value in enumerate(values):
        if not math.isfinite(value):
            place = f" {index}" if len(values) > 1 else ""
            raise RewardNotFinite(f"{name}{place}: expected a finite number, got {value}")
