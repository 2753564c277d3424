"""Self-consistency: N independent solutions, without a verifier (arXiv:2203.11171)."""

from schemas.search.strategies import MajorityConfig
from tasks.search.session import Search
from tasks.search.tree import Node


async def sample_for_majority(search: Search, config: MajorityConfig) -> list[Node]:
    """N independent solutions."""
    return await search.complete(search.root, search.budget, with_scores=False)
