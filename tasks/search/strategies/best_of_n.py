"""Best of N: N independent solutions, with every step scored by the verifier."""

from schemas.search.strategies import BestOfNConfig
from tasks.search.session import Search
from tasks.search.tree import Node


async def best_of_n(search: Search, config: BestOfNConfig) -> list[Node]:
    """N independent solutions with their scores; the pick decides which is best."""
    return await search.complete(search.root, search.budget)
