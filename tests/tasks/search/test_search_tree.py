import pytest

from schemas.rows import Step
from schemas.search import ScoreConfig
from tasks.search.ranking import rank_node, verifier_value
from tasks.search.tree import (
    Node,
    best_first,
    keep_best,
    merge_equal,
    name_of,
    share,
    split_open,
    walk,
)
from tasks.verifiers.reductions import logit


def child(parent: Node, index: int, text: str, **fields) -> Node:
    node = Node(
        prompt="q",
        parent=parent,
        step=Step(text=text, num_tokens=1),
        text=parent.text + text,
        path=(*parent.path, index),
        **fields,
    )
    parent.children.append(node)
    return node


def nodes_of(*rankings: float | None, **fields) -> list[Node]:
    root = Node(prompt="q")
    return [child(root, i, f"{i}\n", ranking=r, **fields) for i, r in enumerate(rankings)]


def test_the_best_come_first_ties_in_order_of_drawing():
    nodes = nodes_of(0.5, None, 0.9, 0.5, -3.0)
    assert best_first(nodes) == [nodes[i] for i in (2, 0, 3, 4, 1)]
    assert best_first(reversed(nodes)) == best_first(nodes)


def test_cut_and_failed_ones_come_last():
    nodes = nodes_of(0.9, 0.8, 0.1)
    nodes[0].state, nodes[1].state = "truncated", "error"
    assert best_first(nodes) == [nodes[2], nodes[0], nodes[1]]
    nodes[2].state = "finished"
    assert best_first(nodes)[0] is nodes[2]


def test_those_not_kept_say_their_rank_once():
    nodes = nodes_of(0.1, 0.9, 0.5)
    nodes[0].reason = "same text as 7"
    assert keep_best(nodes, 1) == [nodes[1]]
    assert [node.reason for node in nodes] == ["same text as 7", None, "rank 2 of 3"]


def test_equal_texts_merge_into_the_first_drawn():
    root = Node(prompt="q")
    a, b, again = (child(root, i, text) for i, text in enumerate(["a\n", "b\n", "a\n"]))
    ended = child(root, 3, "a\n", state="finished")
    failed = [child(root, i, "", state="error") for i in (4, 5)]
    assert merge_equal([a, b, again, ended, *failed]) == [a, b, ended, *failed]
    assert again.reason == "same text as 0"
    later = child(root, 6, "b\n")
    assert merge_equal([later], against=[b]) == []
    assert later.reason == "same text as 1"


@pytest.mark.parametrize(
    ("num", "num_nodes", "shares"),
    [(8, 4, [2, 2, 2, 2]), (7, 4, [2, 2, 2, 1]), (2, 3, [1, 1]), (5, 1, [5])],
)
def test_shares_are_even_and_lose_nothing(num, num_nodes, shares):
    nodes = nodes_of(*[0.5] * num_nodes)
    shared = share(num, nodes)
    assert [draws for _, draws in shared] == shares
    assert [node for node, _ in shared] == nodes[: len(shares)]


def test_a_walk_sees_parents_first_and_children_in_order_of_drawing():
    root = Node(prompt="q")
    late = child(root, 1, "b")
    first = child(root, 0, "a")
    below = child(first, 0, "c")
    assert list(walk(root)) == [first, below, late]
    assert [name_of(node) for node in walk(root)] == ["0", "0.0", "1"]
    assert name_of(root) == "root"
    assert below.lineage() == [first, below]
    assert [step.text for step in below.steps()] == ["a", "c"]


def test_a_node_prints_without_its_tree():
    root = Node(prompt="q")
    node = child(child(root, 0, "first"), 0, "second")
    assert "path=(0,)" not in repr(node)
    assert "second" not in repr(root)


def test_open_and_ended_nodes_are_told_apart():
    nodes = nodes_of(1, 2, 3, 4)
    for node, state in zip(nodes, ("open", "finished", "truncated", "error"), strict=True):
        node.state = state
    assert split_open(nodes) == (nodes[1:], nodes[:1])


SCORED = [0.9, 0.4, 0.8]


def scored_node(logprob: float | None = -2.0, scores: list[float] | None = None) -> Node:
    node = Node(prompt="q")
    for score in SCORED if scores is None else scores:
        node = child(node, 0, "s\n", score=score)
    node.logprob = logprob
    return node


@pytest.mark.parametrize(
    ("how", "value"), [("min", 0.4), ("last", 0.8), ("prod", 0.288), ("mean", 0.7)]
)
def test_a_prefix_is_worth_its_reduced_scores(how, value):
    node = scored_node()
    verifier = ScoreConfig(by="verifier", reduction=how)
    assert verifier_value(node, verifier) == pytest.approx(value)
    assert rank_node(node, verifier) == pytest.approx(value)
    mixed = ScoreConfig(reduction=how, weight=0.5)
    assert rank_node(node, mixed) == pytest.approx(-2.0 + 0.5 * logit(value))
    assert rank_node(node, ScoreConfig(by="likelihood")) == -2.0


def test_a_worth_that_lacks_a_part_is_unknown():
    unread = scored_node(scores=[])
    assert rank_node(unread, ScoreConfig()) is None
    assert rank_node(unread, ScoreConfig(by="verifier")) is None
    untold = scored_node(logprob=None)
    assert rank_node(untold, ScoreConfig()) is None
    assert rank_node(untold, ScoreConfig(by="likelihood")) is None
    assert rank_node(untold, ScoreConfig(by="verifier")) == 0.4


def test_scores_of_nought_and_one_still_rank_by_likelihood():
    sure, unlikely = scored_node(-1.0, [1.0]), scored_node(-3.0, [1.0])
    worths = [rank_node(node, ScoreConfig()) for node in (sure, unlikely, scored_node(-1.0, [0.0]))]
    assert worths == sorted(worths, reverse=True)  # type: ignore[type-var]
    assert len(set(worths)) == 3
