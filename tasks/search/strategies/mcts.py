"""Monte Carlo tree search over steps: N walks, each from the root to the end of a new solution.

A walk moves to the child that PUCT or UCT prefers. When it first enters a prefix, `width` children
are drawn and valued by the verifier. The verifier's value of the end (0 if it was truncated) is
averaged into every prefix of the walk. PUCT is that of AlphaZero (arXiv:1712.01815), with the
policy's likelihood of a step, normalised over the children, as the prior; UCT is that of ReST-MCTS*
(arXiv:2406.03816).

Choices that the papers leave open: a child without visits has its own value; under UCT that value
counts as its first visit. Each end is reached once. If all children of a prefix are used up,
`width` more are drawn; if none of them is new, the prefix is closed. The search ends early when its
root is closed.
"""

import math
import random
from collections.abc import Sequence

from schemas.search.strategies import MctsConfig
from schemas.units import derive_seed
from tasks.search.ranking import verifier_value
from tasks.search.session import Search
from tasks.search.tree import Node, merge_equal

_PUCT_BASE = 19652.0
_PUCT_INIT = 1.25


async def tree_search(search: Search, config: MctsConfig) -> list[Node]:
    """Ends of solutions, one per walk, in the order of the walks."""
    walks = _Walks(search, config)
    ends: list[Node] = []
    for _ in range(search.budget):
        end = await walks.walk()
        if end is None:
            break
        ends.append(end)
    return ends


def puct(
    value: float, prior: float, num_visits: int, num_parent_visits: int, init: float = _PUCT_INIT
) -> float:
    """Value plus bonus of a child (AlphaZero, supplement of arXiv:1712.01815)."""
    rate = math.log((num_parent_visits + _PUCT_BASE + 1) / _PUCT_BASE) + init
    return value + rate * prior * math.sqrt(num_parent_visits) / (1 + num_visits)


def uct(value: float, num_visits: int, num_parent_visits: int, exploration: float) -> float:
    """Value plus bonus of a child visited at least once (UCB1)."""
    return value + exploration * math.sqrt(2 * math.log(num_parent_visits) / num_visits)


class _Walks:
    """The state of the tree between walks: distinct children, and prefixes that are used up."""

    def __init__(self, search: Search, config: MctsConfig) -> None:
        self._search = search
        self._config = config
        self._usable: dict[Node, list[Node]] = {}
        """The distinct children of each prefix that was entered."""
        self._closed: set[Node] = set()

    async def walk(self) -> Node | None:
        """Walk to an end that no earlier walk reached; None if the tree is used up."""
        while (end := await self._descend()) is None:
            if self._search.root in self._closed:
                return None
        self._closed.add(end)
        value = verifier_value(end, self._search.context.score) if end.state == "finished" else 0.0
        for node in [self._search.root, *end.lineage()]:
            visits = node.visits or 0
            node.value = ((node.value or 0.0) * visits + (value or 0.0)) / (visits + 1)
            node.visits = visits + 1
        return end

    async def _descend(self) -> Node | None:
        """The end of one walk; None if it reached a used-up prefix, which it closed."""
        node = self._search.root
        while node.is_open:
            children = self._open_children(node) or await self._draw(node)
            if not children:
                self._closed.add(node)
                return None
            node = self._choose(node, children)
        return node

    def _open_children(self, node: Node) -> list[Node]:
        return [n for n in self._usable.get(node, []) if n not in self._closed]

    async def _draw(self, node: Node) -> list[Node]:
        """New children, without duplicates of existing ones."""
        drawn = await self._search.expand(node, self._config.width, with_scores=False)
        known = self._usable.setdefault(node, [])
        new = merge_equal(drawn, against=known)
        await self._search.score(new)
        new = [n for n in new if n.state != "error" or not known]
        known += new
        return new

    def _choose(self, node: Node, children: Sequence[Node]) -> Node:
        """The child with the highest value plus bonus; among equals, the one drawn first."""
        priors = self._priors(node, children)

        def worth(pair: tuple[Node, float]) -> float:
            child, prior = pair
            value = self._value(child)
            if self._config.select == "puct":
                return puct(value, prior, child.visits or 0, max(node.visits or 0, 1))
            visits = (child.visits or 0) + 1
            return uct(value, visits, (node.visits or 0) + 1, self._config.exploration)

        return max(zip(children, priors, strict=True), key=worth)[0]

    def _value(self, node: Node) -> float:
        own = verifier_value(node, self._search.context.score) or 0.0
        if not node.visits:
            return own
        mean = node.value or 0.0
        if self._config.select == "uct":  # its own value counts as its first visit
            return (mean * node.visits + own) / (node.visits + 1)
        return mean

    def _priors(self, node: Node, children: Sequence[Node]) -> list[float]:
        """[num_children] priors, which sum to 1; equal if the policy reports no likelihood."""
        logprobs = [0.0 if child.logprob is None else child.logprob for child in children]
        top = max(logprobs)
        weights = [math.exp(logprob - top) for logprob in logprobs]
        priors = [weight / sum(weights) for weight in weights]
        share = self._config.root_noise
        if not share or node is not self._search.root:
            return priors
        noise = [self._noise(child) for child in children]
        total = sum(noise) or 1.0
        return [(1 - share) * p + share * g / total for p, g in zip(priors, noise, strict=True)]

    def _noise(self, child: Node) -> float:
        """A child's Dirichlet noise before normalisation, the same in every walk."""
        rng = random.Random(derive_seed(self._search.seed, "root noise", *child.path))
        return rng.gammavariate(self._config.noise_alpha, 1.0)
