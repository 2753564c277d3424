"""Lookahead search: beam search that looks some steps ahead before ranking (arXiv:2408.03314).

A prefix is ranked by the score k steps further on; these steps are then discarded, but their tokens
are counted and their rows kept. Equal prefixes share one lookahead. A prefix that has ended is
ranked by its own score, and one whose lookahead fails by that of the last prefix reached.
"""

import asyncio
from collections.abc import Sequence

from schemas.search.strategies import LookaheadConfig
from tasks.search.session import Search
from tasks.search.strategies.beam import beam_search
from tasks.search.tree import Node, prune


async def lookahead_search(search: Search, config: LookaheadConfig) -> list[Node]:
    """N ends of solutions, in the order they were found."""

    async def look(node: Node) -> Node:
        """The prefix that the lookahead from this one reaches."""
        ahead = node
        for _ in range(config.depth):
            if not ahead.is_open:
                break
            (further,) = await search.expand(
                ahead, 1, temperature=config.temperature, with_scores=False
            )
            further.role = "lookahead"
            prune(further, "looked ahead")
            if further.state == "error":
                break
            ahead = further
        return ahead

    async def rank(nodes: Sequence[Node]) -> None:
        reached = await asyncio.gather(*(look(node) for node in nodes))
        await search.score(reached)
        for node, ahead in zip(nodes, reached, strict=True):
            node.ranking = ahead.ranking

    return await beam_search(search, config, rank=rank)
