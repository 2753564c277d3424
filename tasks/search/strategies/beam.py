"""Beam search over steps (arXiv:2408.03314, section 5.2; the open search-and-learn recipe).

The search draws N first steps. In each round after that, the best open prefixes are continued with
`width` draws each. Finished solutions stay in the beam with their scores, so a round draws N minus
their number. Equal prefixes are merged, and the draws this frees are shared among all that are
kept. A finished text that duplicates another frees its place too, as long as an open prefix can use
it.
Deviation: a freed place is used by drawing more than `width` from a prefix, never by redrawing.
"""

from collections.abc import Awaitable, Callable, Sequence
from math import ceil

from schemas.search.strategies import BeamConfig, LookaheadConfig
from tasks.search.session import Search
from tasks.search.tree import Node, keep_best, merge_equal, share, split_open

Rank = Callable[[Sequence[Node]], Awaitable[None]]
"""Sets the ranking of nodes."""


async def beam_search(
    search: Search, config: BeamConfig | LookaheadConfig, *, rank: Rank | None = None
) -> list[Node]:
    """N ends of solutions, in the order they were found.

    Args:
        search: an empty search.
        config: the number of continuations of a kept prefix.
        rank: ranks distinct prefixes and new ends; None to rank them by their own scores.
    """
    ended: list[Node] = []
    children = await search.expand(search.root, search.budget, with_scores=rank is None)
    while True:
        new, frontier = split_open(children)
        frontier = merge_equal(frontier)
        if rank is not None:
            await rank([*frontier, *new])
            failed, frontier = split_open(frontier)
            new += failed
        ended += merge_equal(new, against=ended) if frontier else new
        places = search.budget - len(ended)
        if not frontier or not places:
            return ended
        kept = keep_best(frontier, ceil(places / config.width))
        children = await search.expand_all(share(places, kept), with_scores=rank is None)
