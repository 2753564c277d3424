"""Beam search over steps (arXiv:2408.03314, section 5.2; the open search-and-learn recipe).

N first steps, then rounds: the best open prefixes go on with `width` draws each. A finished
solution keeps its place and its score, so a round draws N minus the places taken. Equal prefixes
are one prefix: what they would have drawn is drawn from it and the others, and a finished text that
is there already gives its place back as long as there is an open prefix to spend it on.
Deviation: a place freed so is kept by drawing more than `width` of a prefix, never by redrawing.
"""

from collections.abc import Awaitable, Callable, Sequence
from math import ceil

from schemas.search.strategies import BeamConfig, LookaheadConfig
from tasks.search.session import Search
from tasks.search.tree import Node, keep_best, merge_equal, share, split_open

Rank = Callable[[Sequence[Node]], Awaitable[None]]
"""Gives nodes their ranking."""


async def beam_search(
    search: Search, config: BeamConfig | LookaheadConfig, *, rank: Rank | None = None
) -> list[Node]:
    """N ends of solutions, in order of finding.

    Args:
        search: an empty search.
        config: how many continuations a kept prefix gets.
        rank: what ranks different prefixes and new ends; None for their own score.
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
