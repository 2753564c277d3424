"""Adaptive consistency: solutions are drawn until the leading answer is safe (arXiv:2305.11860).

The votes of the two most common answers give the share of the leader between them a Beta posterior
under a uniform prior; the search stops where that share is above one half with probability `bound`.
Solutions without an answer do not vote, and count against N.
`unanimous` is early-stopping self-consistency (arXiv:2401.10480): windows of solutions until the
answers of one are all the same; those of all windows vote.
Deviation: the paper draws one solution at a time. Here a round draws the fewest that could reach
the bound, at once, which stops after exactly as many solutions.
"""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from schemas.search.strategies import AdaptiveConsistencyConfig
from tasks.search.session import Search
from tasks.search.tree import Node


async def adaptive_consistency(search: Search, config: AdaptiveConsistencyConfig) -> list[Node]:
    """The solutions drawn, at most N, in the order of drawing."""
    ends: list[Node] = []
    votes: Counter[int] = Counter()
    is_safe = False
    while len(ends) < search.budget and not is_safe:
        is_unanimous = config.rule == "unanimous"
        wanted = config.window if is_unanimous else num_needed(votes.values(), config.bound)
        size = min(wanted, search.budget - len(ends))
        new = await search.complete(search.root, size, with_scores=False)
        classes = await search.classes(new)
        ends += new
        votes.update(answer for answer in classes if answer is not None)
        if is_unanimous:
            is_safe = len(new) == config.window and None not in classes and len(set(classes)) == 1
        else:
            is_safe = p_leader(*_top_two(votes.values())) >= config.bound
    return ends


def p_leader(first: int, second: int) -> float:
    """The probability that the answer with `first` votes is more frequent than that with `second`.

    With a uniform prior its share follows Beta(first + 1, second + 1), which exceeds one half with
    the probability of more than `second` tails in first + second + 1 throws of a fair coin.
    """
    throws = first + second + 1
    ways, num_ways = 0, 1
    for tails in range(second + 1):
        ways += num_ways
        num_ways = num_ways * (throws - tails) // (tails + 1)
    return float(1 - Fraction(ways, 2**throws))


def num_needed(votes: Iterable[int], bound: float) -> int:
    """How many more votes the leading answer needs at least until `p_leader` reaches the bound."""
    first, second = _top_two(votes)
    more = 0
    while p_leader(first + more, second) < bound:
        more += 1
    return max(more, 1)


def _top_two(votes: Iterable[int]) -> tuple[int, int]:
    """The votes of the two most common answers; 0 for those that are missing."""
    first, second, *_ = sorted([*votes, 0, 0], reverse=True)
    return first, second
