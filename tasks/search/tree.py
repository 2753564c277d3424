"""A search tree: each node is a prefix of a solution, one step longer than its parent.

This is pure data. `session.py` draws and scores nodes, and `rows.py` turns them into rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

from schemas.rows import ModelRole, Step
from tasks.verifiers.reductions import ScoreTotals

State = Literal["open", "finished", "truncated", "error"]
"""`open`: can be continued; `finished`: ended by the policy; `truncated`: cut off by a limit;
`error`: refused by an engine."""


REFINEMENT = "refinement"
"""The role of an attempt after another one; all other roles are not solutions."""
SOLUTION_ROLES = (None, REFINEMENT)
"""The roles of solutions, which may be candidates and are graded."""


@dataclass(slots=True, kw_only=True)
class Cost:
    """Tokens spent on one node."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    scored_tokens: int = 0
    """Tokens that the verifier computed: those it read and did not find in its cache."""
    verifier_tokens: int = 0
    """Tokens that a generative verifier wrote."""


def add_costs(one: Cost, other: Cost) -> Cost:
    """What both cost together."""
    return replace(
        one,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        generated_tokens=one.generated_tokens + other.generated_tokens,
        scored_tokens=one.scored_tokens + other.scored_tokens,
        verifier_tokens=one.verifier_tokens + other.verifier_tokens,
    )


def add_logprobs(one: float | None, other: float | None) -> float | None:
    """The log probability of both; None if either is not known."""
    return None if one is None or other is None else one + other


def join_ids(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The tokens of one and then the other; None if either's are not known."""
    return None if one is None or other is None else one + other


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A prefix, as its last step and the node that this continues; the root is the question."""

    prompt: str
    """The text before the prefix, as its writer reads it."""
    writer: ModelRole = "policy"
    """The role of the model that continues it."""
    parent: "Node | None" = field(default=None, repr=False)
    step: Step | None = None
    """None for the root, and for an end of text directly after the parent's step."""
    kind: str = "step"
    """`step`, or `output` for what a program printed."""
    text: str = ""
    """The whole prefix."""
    num_tokens: int = 0
    """Number of tokens generated for the whole prefix."""
    own_ids: tuple[int, ...] | None = None
    """The sampled tokens of its step, or of the end of text; None if the engine reports none."""
    state: State = "open"
    path: tuple[int, ...] = ()
    """The index of the child at each level from the root; it names the node and determines its
    seeds."""
    seed: int = 0
    """The seed with which its step was drawn."""
    temperature: float | None = None
    """The temperature at which its step was drawn; None for that of the limits."""
    logprob: float | None = 0.0
    """Summed log probability of the whole prefix under its writer, before temperature; None if the
    engine does not report it."""
    score: float | None = None
    """The verifier's score of the last step; None if it was not scored."""
    ranking: float | None = None
    """The value that the search ranks by; None if it is not known."""
    reason: str | None = None
    """Why the search did not continue from here, or the error that occurred."""
    visits: int | None = None
    """Walks through this node, in MCTS; particles that ended here, in particle filtering."""
    value: float | None = None
    """Mean value of the ends of all walks through this node, in MCTS; the confidence of the whole
    solution that ends here, in a confidence vote."""
    confidences: tuple[float, ...] | None = None
    """[num_tokens] of the whole solution that ends here (see Completion), where they were asked
    for."""
    cost: Cost = field(default_factory=Cost)
    after: "Node | None" = field(default=None, repr=False)
    """For a root that is not the bare question: the solution that is revised or judged there."""
    given: "Node | None" = field(default=None, repr=False)
    """For a root that asks for another attempt: the critique in its prompt."""
    role: str | None = None
    """`judge`, `critic` or `lookahead` if this node and all nodes below it are not part of a
    solution; `refinement` if they are part of another attempt at one."""
    documents: tuple[str, ...] | None = None
    """For a root: the ids of the documents in its prompt; None for a search without documents."""
    num_retrievals: int = 0
    """For a root: the queries that were made for it."""
    verdict: bool | None = None
    """Whether the critique that ends here calls its solution right; None if it does not say."""
    error_step: int | None = None
    """Index of the first step that this critique calls wrong."""
    children: "list[Node]" = field(default_factory=list, repr=False)
    num_drawn: int = 0
    """Number of continuations drawn from it, including those in flight."""
    whole_ids: "tuple[int, ...] | Literal['unknown'] | None" = field(
        init=False, default="unknown", repr=False
    )
    """`token_ids`, once they were asked for."""
    totals: ScoreTotals | None = field(init=False, default=None, repr=False)
    """Of the scores of the whole prefix, kept by `ranking.py` once all its steps have one."""
    num_steps: int = field(init=False, default=0)
    """Number of steps of the whole prefix."""
    root: "Node" = field(init=False, repr=False)
    """The root of its tree; itself for a root."""

    def __post_init__(self) -> None:
        """Take from the parent what would otherwise be looked up along the whole prefix."""
        if self.parent is None:
            self.root = self
        else:
            self.root = self.parent.root
            self.num_steps = self.parent.num_steps
        self.num_steps += self.step is not None

    @property
    def is_open(self) -> bool:
        """Whether it can be continued."""
        return self.state == "open"

    @property
    def token_ids(self) -> tuple[int, ...] | None:
        """The sampled tokens of the whole prefix; None if some of them are not known.

        Joined and kept for prefixes that are continued; of most nodes nobody asks for them.
        """
        waiting: list[Node] = []
        at: Node | None = self
        while at is not None and at.whole_ids == "unknown":
            waiting.append(at)
            at = at.parent
        known = () if at is None else at.whole_ids
        assert known != "unknown"
        own = [node.own_ids for node in reversed(waiting)]
        if known is None or None in own:
            self.whole_ids = None
        else:
            self.whole_ids = tuple(chain(known, *filter(None, own)))
        return self.whole_ids

    def lineage(self) -> "list[Node]":
        """The nodes from the first step to this one; the root is not included."""
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
        """The verifier's scores of the prefix, one for each scored step, in order."""
        return [node.score for node in self.lineage() if node.score is not None]


def walk(root: Node) -> Iterator[Node]:
    """All nodes below the root, each parent before its children, and children in the order drawn.

    A node's list of children is in the order in which the engine returned them, which may vary.
    """
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node is not root:
            yield node
        waiting.extend(sorted(node.children, key=_place, reverse=True))


def split_open(nodes: Iterable[Node]) -> tuple[list[Node], list[Node]]:
    """The nodes that have ended, and those that can be continued."""
    found = list(nodes)
    return [n for n in found if not n.is_open], [n for n in found if n.is_open]


def best_first(nodes: Iterable[Node]) -> list[Node]:
    """Nodes by ranking, the best first; truncated and failed ones last, ties in the order drawn."""
    return sorted(nodes, key=_order)


def keep_best(nodes: Sequence[Node], num: int) -> list[Node]:
    """The `num` best in order of ranking; the others are pruned with their rank as the reason."""
    order = best_first(nodes)
    for rank, node in enumerate(order[num:], num + 1):
        prune(node, f"rank {rank} of {len(order)}")
    return order[:num]


def merge_equal(nodes: Sequence[Node], *, against: Sequence[Node] = ()) -> list[Node]:
    """The nodes without duplicates in their whole text; the first one drawn is kept.

    Args:
        nodes: nodes in the order drawn.
        against: existing nodes, drawn earlier.
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
    """Record why a search does not use a node; an earlier reason is kept."""
    if node.reason is None:
        node.reason = reason


def share(num: int, nodes: Sequence[Node]) -> list[tuple[Node, int]]:
    """`num` draws distributed over nodes as evenly as possible; the first get the remainder."""
    each, extra = divmod(num, len(nodes))
    shares = [each + (index < extra) for index in range(len(nodes))]
    return [(node, draws) for node, draws in zip(nodes, shares, strict=True) if draws]


def name_of(node: Node) -> str:
    """The name of a node in reasons: the index of the child at each level from the root."""
    return ".".join(map(str, node.path)) or "root"


def _place(node: Node) -> int:
    """Its place among the children of its parent."""
    return node.path[-1]


def _order(node: Node) -> tuple[bool, bool, float, tuple[int, ...]]:
    failed = node.state in ("error", "truncated")
    ranking = node.ranking
    return failed, ranking is None, -(ranking if ranking is not None else 0.0), node.path
