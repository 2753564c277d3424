"""A search tree: each node is a prefix of a solution, one step longer than its parent.

Pure data. What draws and scores nodes is in `session.py`, what makes rows of them in `rows.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.rows import ModelRole, Step

State = Literal["open", "finished", "truncated", "error"]
"""`open` may go on; `finished` the policy ended it; `truncated` a limit cut it; `error` an engine
refused it."""


@dataclass(slots=True, kw_only=True)
class Cost:
    """Tokens spent on one node."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    scored_tokens: int = 0
    """Tokens that the verifier computed: read, and not found in its cache."""


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A prefix, told by its last step and the node it continues; the root is the bare question."""

    prompt: str
    """Everything before the prefix, as its writer reads it."""
    writer: ModelRole = "policy"
    """The role of the model that continues it."""
    parent: "Node | None" = field(default=None, repr=False)
    step: Step | None = None
    """None for the root, and for an end of text right behind the parent's step."""
    text: str = ""
    """The whole prefix."""
    num_tokens: int = 0
    """Tokens generated for the whole prefix."""
    state: State = "open"
    path: tuple[int, ...] = ()
    """Which child of which child: names the node and makes its seeds."""
    seed: int = 0
    """With which its step was drawn."""
    temperature: float | None = None
    """At which its step was drawn; None for that of the limits."""
    logprob: float | None = 0.0
    """Summed log probability of the whole prefix, its writer's, before temperature; None where
    the engine does not report it."""
    score: float | None = None
    """The verifier's, of the last step; None where it was not read."""
    ranking: float | None = None
    """What the search ranks by; None where that is not known."""
    reason: str | None = None
    """Why the search did not go on from here, or which error came."""
    visits: int | None = None
    value: float | None = None
    """Mean of what walks through this node came to; MCTS."""
    cost: Cost = field(default_factory=Cost)
    after: "Node | None" = field(default=None, repr=False)
    """Of a root that is not the bare question: the solution that is revised or judged there."""
    role: str | None = None
    """What this node and all below it are, where that is no part of a solution: `judge` or
    `lookahead`."""
    children: "list[Node]" = field(default_factory=list, repr=False)
    num_drawn: int = 0
    """Continuations drawn of it, those in flight included."""

    @property
    def is_open(self) -> bool:
        """Whether it can be continued."""
        return self.state == "open"

    def lineage(self) -> "list[Node]":
        """The nodes from the first step to this one, without the root."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    def steps(self) -> list[Step]:
        """The steps of the whole prefix."""
        return [node.step for node in self.lineage() if node.step is not None]

    def scores(self) -> list[float]:
        """The verifier's scores of the prefix, a value per step that has one, in order."""
        return [node.score for node in self.lineage() if node.score is not None]


def walk(root: Node) -> Iterator[Node]:
    """All nodes below the root, a parent before its children, these in order of drawing.

    Children are listed as they came back from the engine, an order that need not repeat itself.
    """
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node is not root:
            yield node
        waiting.extend(sorted(node.children, key=_path, reverse=True))


def split_open(nodes: Iterable[Node]) -> tuple[list[Node], list[Node]]:
    """The nodes that ended, and those that can go on."""
    found = list(nodes)
    return [n for n in found if not n.is_open], [n for n in found if n.is_open]


def best_first(nodes: Iterable[Node]) -> list[Node]:
    """Nodes by ranking, the best first; cut and failed ones last, ties in order of drawing."""
    return sorted(nodes, key=_order)


def keep_best(nodes: Sequence[Node], num: int) -> list[Node]:
    """The `num` best, in order of ranking; each of the others gets its rank as the reason."""
    order = best_first(nodes)
    for rank, node in enumerate(order[num:], num + 1):
        prune(node, f"rank {rank} of {len(order)}")
    return order[:num]


def merge_equal(nodes: Sequence[Node], *, against: Sequence[Node] = ()) -> list[Node]:
    """The nodes without those whose whole text another one has; the first one drawn stays.

    Args:
        nodes: in order of drawing.
        against: nodes that are there already.
    """
    first_of = {(node.text, node.state): node for node in reversed([*against, *nodes])}
    kept = []
    for node in nodes:
        if node.state == "error" or (first := first_of[node.text, node.state]) is node:
            kept.append(node)
        else:
            prune(node, f"same text as {name_of(first)}")
    return kept


def prune(node: Node, reason: str) -> None:
    """Note why a search does not use a node; the first reason stays."""
    if node.reason is None:
        node.reason = reason


def share(num: int, nodes: Sequence[Node]) -> list[tuple[Node, int]]:
    """`num` draws over nodes as evenly as can be, what is left over to the first ones."""
    each, extra = divmod(num, len(nodes))
    shares = [each + (index < extra) for index in range(len(nodes))]
    return [(node, draws) for node, draws in zip(nodes, shares, strict=True) if draws]


def name_of(node: Node) -> str:
    """How a reason names a node: the places of its ancestors among their siblings."""
    return ".".join(map(str, node.path)) or "root"


def _path(node: Node) -> tuple[int, ...]:
    return node.path


def _order(node: Node) -> tuple[bool, bool, float, tuple[int, ...]]:
    failed = node.state in ("error", "truncated")
    ranking = node.ranking
    return failed, ranking is None, -(ranking if ranking is not None else 0.0), node.path
