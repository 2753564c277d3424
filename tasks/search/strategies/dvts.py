"""Diverse verifier tree search: N / width independent greedy trees (search-and-learn, 2024).

At every step, `width` continuations are drawn and the best is kept. Trees do not compete, so one
high score cannot displace all others; trees that happen to become equal stay separate.
Deviation: one solution per tree. The recipe returns all siblings of the last step, finished or not.
"""

import asyncio

from schemas.search.strategies import DvtsConfig
from tasks.search.session import Search
from tasks.search.tree import Node, keep_best


async def diverse_tree_search(search: Search, config: DvtsConfig) -> list[Node]:
    """N / width ends of solutions, one per tree."""

    async def grow() -> Node:
        node = search.root
        while node.is_open:
            (node,) = keep_best(await search.expand(node, config.width), 1)
        return node

    return list(await asyncio.gather(*(grow() for _ in range(search.budget // config.width))))
