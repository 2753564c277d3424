"""Search trees: folded, laid out, and shown; by hand and of real searches on the Markov engine."""

import re

import pytest

from flows.tables.search_tree import build_tree
from flows.view.trees import COLUMN, LINE, draw
from schemas.rows import StepLabel
from storage import connect
from storage.queries import ask


def drawn(store, picks):
    key = {"run_id": "run", "problem_id": "p0", "strategy": "beam", "budget": 4}
    rows = ask(connect(store.url), "search_tree", **key, policy="policy-0", verifier="prm")
    return draw(build_tree(rows), picks)


def test_equal_steps_are_one_node_with_their_number_and_mean_value(searched):
    drawing = drawn(searched, {"r2": "best"})
    assert [(n.text, n.count, n.value, n.up) for n in drawing.nodes] == [
        ("A", 2, 0.625, 0), ("B", 2, 0.875, 1), ("C <i>", 1, 0.1, 1), ("D", 1, None, 0),
    ]  # fmt: skip
    assert drawing.num_steps == 6
    assert [n.shade for n in drawing.nodes] == ["value-3", "value-4", "pruned", "plain"]


def test_the_way_to_the_pick_is_marked_and_nothing_else(searched):
    nodes = drawn(searched, {"r2": "best"}).nodes
    assert [n.text for n in nodes if n.is_picked] == ["A", "B"]
    assert [n.pick for n in nodes] == [None, "best", None, None]
    assert [n.reason for n in nodes][2:] == ["pruned: ranked 3 of 2", "wrong: 5"]


def test_leaves_stand_below_each_other_and_nodes_between_their_children(searched):
    drawing = drawn(searched, {})
    a, b, c, d = drawing.nodes
    assert (c.y - b.y, d.y - c.y) == (LINE, LINE)
    assert a.y == (b.y + c.y) / 2
    assert b.x - a.x == COLUMN
    assert [n.born for n in drawing.nodes] == [1, 2, 2, 1]


def test_a_search_that_counts_visits_is_played_in_the_order_of_its_rows():
    def row(name, index, parent, depth, texts):
        steps = [{"text": t, "visits": 2, "value": 0.5, "score": 0.0} for t in texts]
        return {
            "trajectory_id": name, "sample_index": index, "parent_id": parent,
            "branch_step": depth, "steps": steps, "status": "finished", "role": None,
            "correct": True, "answer": "4", "reason": None,
        }  # fmt: skip

    rows = [
        row("r0", 0, None, None, "ab"),
        row("r1", 1, "r0", 1, "c"),
        row("r2", 2, None, None, "d"),
    ]
    nodes = draw(build_tree(rows), {}).nodes
    assert [(n.text, n.born, n.value) for n in nodes] == [
        ("a", 0, 0.5), ("b", 0, 0.5), ("c", 1, 0.5), ("d", 2, 0.5),
    ]  # fmt: skip


@pytest.fixture
def labelled(searched, unit_of):
    """The search with labels: one method differs about the two equal steps B, one calls D wrong."""
    said = [
        ("r0", 0, "checker", True), ("r0", 1, "checker", False), ("r2", 0, "checker", True),
        ("r2", 1, "checker", True), ("r1", 0, "judge", None), ("r3", 0, "judge", False),
    ]  # fmt: skip
    labels = [
        StepLabel(
            trajectory_id=name, step_index=index, method=method, completer=method,
            evidence="checker", hard=hard,
        )
        for name, index, method, hard in said
    ]  # fmt: skip
    searched.commit(unit_of("step_labels", name="eval.00000-000", stage="step_labels"), labels)
    return searched


def test_a_node_says_what_labels_say_and_marks_first_errors(labelled, make_viewer):
    text = make_viewer(labelled).text("/tree", run="run", id="p0")
    nodes = re.findall(r'class="(node [^"]+)" data-node.*?</g>', text, re.S)
    bodies = re.findall(r"data-node=.*?<title>(.*?)</title>.*?<text [^>]+>(.*?)</text>", text, re.S)
    assert [("first-error" in classes) for classes in nodes] == [False, True, False, True]
    assert "checker: right" in bodies[0][0]
    assert "checker: 1 right, 1 wrong, its first error" in bodies[1][0]
    assert "judge" not in bodies[2][0]
    assert "judge: wrong, its first error" in bodies[3][0]
    assert [re.findall("[✓✗?]", shown) for _, shown in bodies] == [["✓"], ["✗"], [], ["✗"]]


def test_an_error_after_another_one_is_not_the_first():
    steps = [
        {"text": text, "score": None, "labels": [{"method": "m", "hard": hard}]}
        for text, hard in (("a", True), ("b", False), ("c", False))
    ]
    row = {
        "trajectory_id": "r", "sample_index": 0, "parent_id": None, "branch_step": None,
        "steps": steps, "status": "finished", "role": None, "correct": False, "answer": "4",
        "reason": None,
    }  # fmt: skip
    nodes = draw(build_tree([row]), {}).nodes
    assert [node.first_error_of for node in nodes] == [[], ["m"], []]
    assert [node.verdict for node in nodes] == [True, False, False]


def test_where_a_row_ends_a_link_opens_it_with_its_grade(searched, make_viewer):
    text = make_viewer(searched).text("/tree", run="run", id="p0")
    ends = re.findall(
        r'<a href="/solution\?run=run&amp;id=(\w+)"[^>]*><text class="([^"]+)"[^>]*>(.*?)<', text
    )
    assert ends == [
        ("r2", "pick", "← ✓ best"), ("r1", "end", "pruned: ranked 3 of 2"),
        ("r3", "end wrong", "wrong: 5"),
    ]  # fmt: skip


def test_the_page_draws_the_tree_and_another_beside_it(searched, make_viewer):
    viewer = make_viewer(searched)
    problem = viewer.text("/problem", run="run", id="p0")
    href = re.findall(r'href="(/tree[^"]+)"', problem)[0].replace("&amp;", "&")
    text = viewer.get(href).text
    assert text.count('role="treeitem"') == 4
    assert 'class="edge picked"' in text
    assert "C &lt;i&gt;" in text
    name = re.findall(r"search=(\w+)", href)[0]
    assert (
        viewer.text("/tree", run="run", id="p0", search=name, **{"with": name}).count("<h2>") == 2
    )
    assert viewer.get("/tree?run=run&id=p0&search=nothing").status_code == 404
    assert viewer.get("/tree?run=run&id=p1").status_code == 404
