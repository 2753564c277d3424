"""The arithmetic of proximal policy optimisation, on padded batches [num_solutions, num_tokens].

Rewards, advantages (GAE, arXiv:1506.02438) and clipped losses (PPO, arXiv:1707.06347). A solution's
token t is the action, the value v_t that of everything before it; behind the last token the value
is zero, also where a solution was cut, since it is then rewarded as unfinished.

Import it where training starts, not at the top of a module: it needs torch.
"""

from collections.abc import Sequence

import torch  # noqa: TID253 - tensors are what it computes with

from tasks.training.rewards import Earned

_TINY = 1e-8


def paid_per_token(
    earned: Sequence[Earned], mask: torch.Tensor, *, clip: float | None = None
) -> torch.Tensor:
    """What each token is paid: a number for a solution is paid at its last token.

    Args:
        earned: [n] what the solutions earn; unknown rewards pay nothing.
        mask: [n, t] 1 for the tokens of a solution, 0 behind them.
        clip: what is paid at one token is clipped to plus and minus this.

    Raises:
        ValueError: a solution has other rewards than tokens.
    """
    paid = torch.zeros(mask.shape, dtype=torch.float32)
    lengths = mask.sum(dim=1).long().tolist()
    for line, (reward, length) in enumerate(zip(earned, lengths, strict=True)):
        if reward is None or not length:
            continue
        if not isinstance(reward, Sequence):
            paid[line, length - 1] = reward
        elif len(reward) != length:
            raise ValueError(
                f"solution {line}: expected a reward for each of {length} tokens, got {len(reward)}"
            )
        else:
            paid[line, :length] = torch.tensor(reward, dtype=torch.float32)
    paid = paid if clip is None else paid.clamp(-clip, clip)
    return paid.to(mask.device)


def paid_to_written(paid: torch.Tensor, written: torch.Tensor) -> torch.Tensor:
    """The same pay, all of it at tokens that the policy chose.

    What a token earns that a program printed goes to the last one written before it, whose
    consequence it is; or to the first one written, if there is none before.

    Args:
        paid: [n, t].
        written: [n, t] 1 for the tokens that the policy wrote.
    """
    moved = torch.zeros_like(paid)
    for line, marks in enumerate(written.tolist()):
        place = next((at for at, mark in enumerate(marks) if mark), None)
        if place is None:
            continue
        for at, mark in enumerate(marks):
            place = at if mark else place
            moved[line, place] += paid[line, at]
    return moved


def advantages_and_returns(
    rewards: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Generalised advantage estimates, and the returns that the values should have been.

    delta_t = r_t + gamma v_(t+1) - v_t and A_t = delta_t + gamma lambda A_(t+1); the return of t is
    A_t + v_t. Everything is zero where the mask is. Tokens without the mask between others are what
    programs printed, no actions: t + 1 is then the next action.

    Args:
        rewards: [n, t].
        values: [n, t] before each token.
        mask: [n, t] 1 for the tokens of a solution that the policy chose.
        gamma: discount per token.
        gae_lambda: weight of later differences.
    """
    rewards, values = rewards * mask, values * mask
    advantages = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[:, 0])
    value_after = torch.zeros_like(following)
    for t in reversed(range(rewards.shape[1])):
        is_action = mask[:, t] > 0
        delta = rewards[:, t] + gamma * value_after - values[:, t]
        following = torch.where(is_action, delta + gamma * gae_lambda * following, following)
        advantages[:, t] = following * mask[:, t]
        value_after = torch.where(is_action, values[:, t], value_after)
    return advantages, (advantages + values) * mask


def whitened(
    advantages: torch.Tensor, mask: torch.Tensor, *, mean: torch.Tensor, variance: torch.Tensor
) -> torch.Tensor:
    """Advantages less their mean, divided by their standard deviation; zero where the mask is."""
    return (advantages - mean) / torch.sqrt(variance + _TINY) * mask


def policy_losses(
    logprobs: torch.Tensor, old_logprobs: torch.Tensor, advantages: torch.Tensor, *, clip: float
) -> torch.Tensor:
    """Each token's clipped surrogate loss, [n, t]: -min(r A, clip(r, 1 - c, 1 + c) A)."""
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages)


def value_losses(
    values: torch.Tensor, old_values: torch.Tensor, returns: torch.Tensor, *, clip: float | None
) -> torch.Tensor:
    """Each token's half squared error, [n, t].

    With a clip it is the larger of that of the value and that of the value within `clip` of the old
    one.
    """
    errors = (values - returns) ** 2
    if clip is not None:
        near = torch.maximum(torch.minimum(values, old_values + clip), old_values - clip)
        errors = torch.maximum(errors, (near - returns) ** 2)
    return 0.5 * errors
