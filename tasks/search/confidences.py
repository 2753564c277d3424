"""How confident a policy was of a solution, from the confidences of its tokens (DeepConf).

arXiv:2508.15260, section 3. A token's confidence is minus the mean log probability of the k most
likely tokens at its place: high where one token takes nearly all the probability. A group is a run
of `window` tokens; a solution that is shorter is a single group.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

Confidence = Literal["mean", "lowest_groups", "lowest_group", "tail"]

LOWEST_SHARE = 0.1
"""Share of the groups that `lowest_groups` averages, as published."""


def group_confidences(confidences: Sequence[float], window: int) -> list[float]:
    """The mean of each run of `window` tokens, in order; of all tokens if they are fewer.

    Raises:
        ValueError: there is no token.
    """
    if not confidences:
        raise ValueError("expected the confidence of at least one token, got none")
    size = min(window, len(confidences))
    sums = list(accumulate(confidences, initial=0.0))
    return [(sums[end] - sums[end - size]) / size for end in range(size, len(sums))]


def trace_confidence(confidences: Sequence[float], window: int, how: Confidence) -> float:
    """The confidence of a solution.

    Args:
        confidences: [num_tokens].
        window: tokens of a group, and of the tail.
        how: `mean` of all tokens, of the `tail` of `window` tokens, of the `lowest_groups` (the
            least confident tenth of the groups, at least one), or of the `lowest_group`.

    Raises:
        ValueError: there is no token.
    """
    groups = group_confidences(confidences, window)
    if how == "mean":
        return math.fsum(confidences) / len(confidences)
    if how == "tail":
        return groups[-1]
    if how == "lowest_group":
        return min(groups)
    lowest = sorted(groups)[: max(1, int(len(groups) * LOWEST_SHARE))]
    return math.fsum(lowest) / len(lowest)


def keep_threshold(confidences: Sequence[float], keep: float) -> float:
    """The confidence that the `keep` most confident solutions reach.

    It is the percentile 100 x (1 - keep), interpolated linearly between neighbours.

    Raises:
        ValueError: no solution is given.
    """
    if not confidences:
        raise ValueError("expected the confidence of at least one solution, got none")
    order = sorted(confidences)
    place = (1 - keep) * (len(order) - 1)
    below = math.floor(place + 1e-9)
    above = min(below + 1, len(order) - 1)
    share = max(place - below, 0.0)
    return order[below] if share < 1e-9 else order[below] + share * (order[above] - order[below])
