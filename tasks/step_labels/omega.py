"""Which rollout OmegaPRM searches next: the Q and U of its tree policy (arXiv:2406.06592, 3.3)."""

from math import sqrt


def rollout_value(
    solve_rate: float,
    num_tokens: int,
    *,
    alpha: float = 0.5,
    beta: float = 0.9,
    max_tokens: int = 500,
) -> float:
    """Q of a wrong rollout of a state: high where the state is mostly solved and the rollout short.

    Args:
        solve_rate: MC of the state that the rollout continues.
        num_tokens: length of the rollout.
        alpha: base that rewards a high solve rate, in (0, 1].
        beta: base that punishes length, in (0, 1].
        max_tokens: length at which the punishment is `beta` (L).
    """
    return alpha ** (1 - solve_rate) * beta ** (num_tokens / max_tokens)


def exploration_bonus(num_visits: int, num_all_visits: int, *, c_puct: float = 0.125) -> float:
    """U of a state visited `num_visits` times among all selections so far."""
    return c_puct * sqrt(num_all_visits) / (1 + num_visits)
