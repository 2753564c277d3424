"""Seeds of the nodes of a tree: `derive_seed` of the search's seed and the node's path.

A path is as long as the tree is deep, so the hash of each node goes on from that of its parent.
"""

import hashlib
from typing import Any

from tasks.search.tree import Node


class PathSeeds:
    """The seeds of one search."""

    def __init__(self, seed: int) -> None:
        """No node is known yet."""
        self._seed = seed
        self._begun: dict[Node, Any] = {}
        """The hash of the text before the last part, by node."""

    def derive(self, node: Node, last: int) -> int:
        """`derive_seed(seed, *node.path, last)`."""
        ended = self._hash_of(node).copy()
        ended.update(str(last).encode())
        return int.from_bytes(ended.digest()[:4], "big") >> 1

    def _hash_of(self, node: Node) -> Any:
        waiting: list[Node] = []
        at: Node | None = node
        while at is not None and at not in self._begun:
            waiting.append(at)
            at = at.parent
        for each in reversed(waiting):
            if each.parent is None:
                found = hashlib.sha256(f"{self._seed}\x1f".encode())
                parts = each.path
            else:
                found = self._begun[each.parent].copy()
                parts = each.path[-1:]
            found.update("".join(f"{part}\x1f" for part in parts).encode())
            self._begun[each] = found
        return self._begun[node]
