"""A drawn tree: names of nodes, equal ones folded, ranked values by hand, a depth limit."""

import io
import math

import pytest
from rich.console import Console
from rich.tree import Tree

from flows.tables.drawn_tree import Branch, TreeDrawing, ranked_by
from schemas.search import ScoreConfig

ROW = {"role": None, "status": "finished", "correct": True, "answer": "4", "reason": None}


def branch(text, *children, score=None, logprob=None, ends=(), prompted_by=None):
    return Branch(
        step={"text": text, "score": score, "logprob": logprob},
        children=list(children),
        ends=[{**ROW, "trajectory_id": name * 32} for name in ends],
        prompted_by=prompted_by,
    )


def lines_of(root, *, score=None, depth=None, picks=None):
    tree = Tree("root")
    TreeDrawing(picks=picks or {}, score=score, depth=depth).draw(tree, root)
    drawn = io.StringIO()
    Console(file=drawn, width=200).print(tree)
    return [line.strip(" │├└─") for line in drawn.getvalue().splitlines()[1:]]


def test_equal_nodes_are_one_line_with_their_number_and_keep_their_places():
    root = Branch(
        children=[
            branch("a", ends="x"), branch("b", ends="y"), branch("a", ends="z"),
            branch("a", branch("c", ends="w")),
        ]
    )  # fmt: skip
    assert lines_of(root) == [
        "1  a  \u00d7 2  right: 4  xxxxxxxx",
        "2  b  right: 4  yyyyyyyy",
        "4  a",
        "4.1  c  right: 4  wwwwwwww",
    ]


def test_what_was_picked_is_not_folded_away():
    root = Branch(children=[branch("a", ends="x"), branch("a", ends="y")])
    lines = lines_of(root, picks={"y" * 32: "majority"})
    assert lines == ["1  a  right: 4  xxxxxxxx", "2  a  right: 4  ← majority  yyyyyyyy"]


def test_a_depth_limit_says_what_is_below():
    root = Branch(
        children=[branch("a", branch("b", branch("c", ends="x"), ends="yz")), branch("d", ends="w")]
    )
    assert lines_of(root, depth=1) == [
        "1  a",
        "… 2 steps and 3 ends below",
        "2  d  right: 4  w" + "w" * 7,
    ]
    assert lines_of(root, depth=3) == lines_of(root)


@pytest.mark.parametrize(
    ("score", "values"),
    [
        (ScoreConfig(by="verifier", reduction="prod"), ["0.800", "0.400"]),
        (ScoreConfig(by="verifier", reduction="last"), ["0.800", "0.500"]),
        (ScoreConfig(by="likelihood"), ["-1.000", "-3.000"]),
        # log odds of .8 and of the least score .5, the latter 0, doubled
        (
            ScoreConfig(by="likelihood+logit", reduction="min", weight=2),
            [f"{-1 + 2 * math.log(4):.3f}", "-3.000"],
        ),
    ],
)
def test_the_ranked_value_is_of_the_whole_prefix(score, values):
    root = Branch(
        children=[
            branch("a", branch("b", score=0.5, logprob=-2.0, ends="x"), score=0.8, logprob=-1.0)
        ]
    )
    found = [line.split("ranked ")[1].split()[0] for line in lines_of(root, score=score)]
    assert found == values


def test_an_unscored_step_has_no_ranked_value_and_another_prompt_begins_anew():
    again = branch("c", score=0.25, logprob=-1.0, ends="y", prompted_by="p")
    root = Branch(children=[branch("a", branch("b", again, logprob=-2.0), score=0.5, logprob=-1.0)])
    lines = lines_of(root, score=ScoreConfig(by="verifier", reduction="min"))
    assert ["ranked" in line for line in lines] == [True, False, True]
    assert "ranked 0.250" in lines[2]


@pytest.mark.parametrize(
    ("strategy", "picks", "found"),
    [
        ("beam", ["likelihood+logit[min]"], ("likelihood+logit", "min", 1.0)),
        ("beam", ["likelihood+logit[prod,0.5]"], ("likelihood+logit", "prod", 0.5)),
        ("dvts[width=2] by verifier[last]", ["majority"], ("verifier", "last", 1.0)),
        ("beam by likelihood", [], ("likelihood", "min", 1.0)),
    ],
)
def test_what_ranks_is_read_from_the_label_or_the_main_pick(strategy, picks, found):
    score = ranked_by(strategy, picks)
    assert score is not None
    assert (score.by, score.how, score.weight) == found
    assert ranked_by("best_of_n", ["majority", "weighted[min]"]) is None
