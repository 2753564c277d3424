"""A search tree as a drawing: equal steps folded, every node with its place, value and fate.

The root is left, a column per step; the leaves stand below each other, and a node stands in the
middle of its children. The value of a node is what the search ranks by: the value that it has
learned if it counts visits, else the score. When a node appears in the playback: with its depth, as
all branches of a round grow by one step, or for a search that counts visits with the first row that
has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.tables.search_tree import Branch

COLUMN = 200
LINE = 22
_MARGIN = 14
_SHADES = 5


@dataclass(slots=True)
class Node:
    """A step with all equal ones that follow the same step."""

    text: str
    number: int = 0
    up: int | None = None
    """The number of the node before it."""
    depth: int = 0
    count: int = 1
    values: list[float] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    visits: int | None = None
    labels: dict[str, list[bool]] = field(default_factory=dict)
    """By method, whether the labels of the folded steps call them right."""
    first_error_of: list[str] = field(default_factory=list)
    """The methods that find no error before it and one in it."""
    ends: list[dict[str, Any]] = field(default_factory=list)
    """The rows whose last step this is."""
    children: "list[Node]" = field(default_factory=list)
    is_prompted: bool = False
    """Whether it begins the answer to another prompt."""
    x: float = 0.0
    y: float = 0.0
    born: int = 0
    row: dict[str, Any] | None = None
    """Of the rows that end here the picked one, else the first."""
    pick: str | None = None
    is_picked: bool = False
    """Whether the picked answer goes through it."""
    is_pruned: bool = False
    """Whether every row through it was pruned."""

    @property
    def value(self) -> float | None:
        """The mean value of the folded steps; None if the search gave none."""
        return sum(self.values) / len(self.values) if self.values else None

    @property
    def shade(self) -> str:
        """The class of its colour."""
        if self.is_pruned:
            return "pruned"
        if self.value is None:
            return "plain"
        return f"value-{min(_SHADES - 1, max(0, int(self.value * _SHADES)))}"

    @property
    def verdict(self) -> bool | None:
        """Whether all labels call it right, or all of its graded ends are; None if none says."""
        said = [right for found in self.labels.values() for right in found]
        said = said or [row["correct"] for row in self.ends if row["correct"] is not None]
        return all(said) if said else None

    @property
    def label_words(self) -> list[str]:
        """What each method of labels says, in words."""
        words = []
        for method, said in self.labels.items():
            num_right, num_wrong = said.count(True), said.count(False)
            alike = "right" if not num_wrong else "wrong" if not num_right else ""
            first = ", its first error" if method in self.first_error_of else ""
            words.append(f"{method}: {alike or f'{num_right} right, {num_wrong} wrong'}{first}")
        return words

    @property
    def reason(self) -> str:
        """How the rows that end here ended, in words, each once."""
        said = dict.fromkeys(_end_words(row) for row in self.ends)
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A laid-out tree."""

    nodes: list[Node]
    """Without the root, each after the one before it."""
    width: float
    height: float
    num_steps: int
    """Steps before folding."""
    last_born: int
    counts_visits: bool
    is_labelled: bool

    def place(self, number: int) -> str:
        """The place of a node in a path; number 0 is the root."""
        if number == 0:
            middle = [node.y for node in self.nodes if node.up == 0]
            return f"{_MARGIN} {(middle[0] + middle[-1]) / 2}"
        return f"{self.nodes[number - 1].x} {self.nodes[number - 1].y}"


def draw(root: Branch, picks: Mapping[str, str]) -> Drawing:
    """Fold and lay out a tree.

    Args:
        root: of `flows.tables.search_tree.build_tree`.
        picks: by trajectory, the main pick whose answer it gives.
    """
    top = Node(text="")
    top.children = _fold(root.children)
    nodes = list(_walk(top))
    counts_visits = any(node.visits is not None for node in nodes)
    for number, node in enumerate(nodes):
        node.number = number
    next_line = [0]
    _place(top, 0, next_line)
    _mark(top, picks)
    _find_errors(top, frozenset())
    for node in nodes:
        for child in node.children:
            child.up = node.number
    _appear(top, counts_visits=counts_visits)
    below = nodes[1:]
    return Drawing(
        nodes=below,
        width=2 * _MARGIN + COLUMN * (1 + max((node.depth for node in below), default=0)),
        height=2 * _MARGIN + LINE * max(1, next_line[0]),
        num_steps=sum(node.count for node in below),
        last_born=max((node.born for node in below), default=0),
        counts_visits=counts_visits,
        is_labelled=any(node.labels for node in below),
    )


def _fold(branches: Sequence[Branch]) -> list[Node]:
    """Branches that follow the same step, equal texts as one node, in the order of the first."""
    groups: dict[tuple[str, bool], list[Branch]] = {}
    for branch in branches:
        text = str((branch.step or {}).get("text", "")).strip()
        groups.setdefault((text, branch.prompted_by is not None), []).append(branch)
    folded = []
    for (text, is_prompted), equal in groups.items():
        steps = [branch.step or {} for branch in equal]
        ranked = [s["value"] if s.get("visits") is not None else s.get("score") for s in steps]
        labels: dict[str, list[bool]] = {}
        for each in (label for step in steps for label in step.get("labels", ())):
            labels.setdefault(each["method"], []).append(each["hard"])
        visits = [s["visits"] for s in steps if s.get("visits") is not None]
        folded.append(
            Node(
                text=text,
                count=len(equal),
                values=[value for value in ranked if value is not None],
                logprobs=[s["logprob"] for s in steps if s.get("logprob") is not None],
                visits=sum(visits) if visits else None,
                labels=labels,
                ends=[row for branch in equal for row in branch.ends],
                children=_fold([child for branch in equal for child in branch.children]),
                is_prompted=is_prompted,
            )
        )
    return folded


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _place(node: Node, depth: int, next_line: list[int]) -> None:
    node.depth = depth
    node.x = _MARGIN + COLUMN * depth
    for child in node.children:
        _place(child, depth + 1, next_line)
    if node.children:
        node.y = (node.children[0].y + node.children[-1].y) / 2
    else:
        node.y = _MARGIN + LINE * (next_line[0] + 0.5)
        next_line[0] += 1


def _mark(node: Node, picks: Mapping[str, str]) -> None:
    """Mark what leads to the pick, and what was pruned, from the leaves up."""
    for child in node.children:
        _mark(child, picks)
    picked = [row for row in node.ends if row["trajectory_id"] in picks]
    node.row = next(iter((*picked, *node.ends)), None)
    node.pick = picks[picked[0]["trajectory_id"]] if picked else None
    node.is_picked = node.pick is not None or any(child.is_picked for child in node.children)
    fates = [row["status"] == "pruned" for row in node.ends]
    fates += [child.is_pruned for child in node.children]
    node.is_pruned = bool(fates) and all(fates)


def _find_errors(node: Node, before: frozenset[str]) -> None:
    """Mark the first error of each method of labels on each way from the root."""
    wrong = {method for method, said in node.labels.items() if False in said}
    node.first_error_of = sorted(wrong - before)
    for child in node.children:
        _find_errors(child, before | wrong)


def _appear(node: Node, *, counts_visits: bool) -> int:
    """Set when each node appears; the earliest row below it."""
    earliest = [row["sample_index"] for row in node.ends]
    earliest += [_appear(child, counts_visits=counts_visits) for child in node.children]
    first = min(earliest, default=0)
    node.born = first if counts_visits else node.depth
    return first


def _end_words(row: Mapping[str, Any]) -> str:
    if row["status"] == "pruned":
        return f"pruned: {row['reason']}"
    if row["status"] == "error":
        return f"error: {row['error']}"
    if row["role"] and row["role"] != "refinement":
        return f"{row['role']}: {row['answer'] or ''}"
    verdict = {True: "right", False: "wrong", None: "ungraded"}[row["correct"]]
    cut = "truncated, " if row["status"] == "truncated" else ""
    return f"{cut}{verdict}: {row['answer'] if row['answer'] is not None else 'no answer'}"
