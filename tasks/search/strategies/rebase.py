"""REBASE: draws are distributed over prefixes by a softmax of their scores (arXiv:2408.00724).

Of the N places, finished solutions keep theirs; the others become draws, distributed over the open
prefixes in proportion to exp(score / T). Equal prefixes are merged.
Deviation: shares are computed in exact arithmetic. The authors' code uses float32 and allocates one
draw too many in one case out of twenty.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from schemas.search.strategies import RebaseConfig
from tasks.search.session import Search
from tasks.search.tree import Node, best_first, merge_equal, prune, split_open

_VERIFIER_TEMPERATURE = 0.2
_LIKELIHOOD_TEMPERATURE = 1.0


async def rebase_search(search: Search, config: RebaseConfig) -> list[Node]:
    """N ends of solutions, in the order they were found."""
    is_bounded = search.context.score.by == "verifier"
    temperature = config.balance_temperature or (
        _VERIFIER_TEMPERATURE if is_bounded else _LIKELIHOOD_TEMPERATURE
    )
    ended: list[Node] = []
    children = await search.expand(search.root, search.budget)
    while True:
        new, frontier = split_open(children)
        ended += new
        frontier = best_first(merge_equal(frontier))
        num_left = search.budget - len(ended)
        if not frontier or not num_left:
            return ended
        rankings = [-math.inf if n.ranking is None else n.ranking for n in frontier]
        shares = allocate(rankings, num_left, temperature)
        for node, draws in zip(frontier, shares, strict=True):
            if not draws:
                prune(node, f"no share of {num_left} draws")
        plan = [(n, draws) for n, draws in zip(frontier, shares, strict=True) if draws]
        children = await search.expand_all(plan)


def allocate(scores: Sequence[float], num: int, temperature: float) -> list[int]:
    """How many of `num` draws each prefix gets; they sum to `num`.

    In order of score, each gets its share of the remaining draws, rounded up (REBASE, section 3.2).

    Args:
        scores: [num_prefixes] higher is better.
        num: the number of draws.
        temperature: the temperature of the softmax.

    Returns:
        [num_prefixes] numbers of draws, in the given order.

    Raises:
        ValueError: no prefix was given.
    """
    if not scores:
        raise ValueError("expected a prefix to share draws among, got none")
    top = max(scores)
    weights = [
        Fraction(1 if score == top else math.exp((score - top) / temperature)) for score in scores
    ]
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    left, weight_left = num, sum(weights, Fraction(0))
    shares = [0] * len(scores)
    for index in order:
        if not left:
            break
        shares[index] = min(left, math.ceil(left * weights[index] / weight_left))
        left -= shares[index]
        weight_left -= weights[index]
    return shares
