"""The soft penalty for solutions that come near the limit of their tokens (DAPO, arXiv:2503.14476).

A solution of the limit's length was cut. The penalty rises linearly over the last tokens before it,
so that the policy learns to end in time from solutions that are still complete.
"""

from collections.abc import Sequence

from tasks.training.rewards import Earned
from tasks.verifiers.credit import Credited


def overlong_penalty(num_tokens: int, *, max_tokens: int, buffer: int, weight: float) -> float:
    """What a solution of this many tokens loses, in [0, weight] (equation 13 of DAPO).

    Args:
        num_tokens: tokens sampled.
        max_tokens: their limit.
        buffer: tokens before the limit over which the penalty rises.
        weight: the penalty of a solution that is cut.
    """
    return weight * min(1.0, max(0.0, (num_tokens - (max_tokens - buffer)) / buffer))


def less(earned: Earned, penalty: float) -> Earned:
    """What a solution earns less a penalty, which its last token pays."""
    if not penalty or earned is None:
        return earned
    if isinstance(earned, Credited):
        return earned.less(penalty)
    if isinstance(earned, Sequence):
        return [*earned[:-1], earned[-1] - penalty]
    return earned - penalty
