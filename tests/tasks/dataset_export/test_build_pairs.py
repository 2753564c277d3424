"""Preference and V-StaR pairs, and those of search trees."""

import math
from dataclasses import replace

import pytest

from schemas.dataset_export.builders import PreferenceConfig
from schemas.rows import Step
from tasks.dataset_export.builders.preference import pair_by_grade, pair_by_margin
from tasks.dataset_export.builders.search_trees import find_partings
from tasks.dataset_export.builders.v_star import spread_pairs
from tasks.dataset_export.solved import Solution

PROBLEMS = {"p": {"answer": "4"}, "q": {"answer": "1"}}
SOLUTIONS = [
    ("r0", "p", "3 + 1 = 4\nAnswer: 4", True),
    ("r1", "p", "two times 2 is 4\nAnswer: 4", True),
    ("w0", "p", "two times 2 is 5\nAnswer: 5", False),
    ("w1", "p", "3 + 1 = 5\nAnswer: 5", False),
    ("w2", "p", "I do not know at all\nAnswer: 0", False),
    ("q0", "q", "only right\nAnswer: 1", True),
]


def solution(name, text="", score=None, correct=None):
    return Solution(name, [text or name], correct, None, score)


def names(pairs):
    return [(pair[0].trajectory_id, pair[1].trajectory_id) for pair in pairs]


def test_a_right_solution_meets_the_nearest_wrong_one(fill, build):
    fill(PROBLEMS, SOLUTIONS)
    rows, built = build({"type": "preference"})
    found = {tuple(row["source_ids"]): row for row in rows}
    assert set(found) == {("r0", "w1"), ("r1", "w0")}
    row = found["r0", "w1"]
    assert (row["chosen"], row["rejected"]) == ("3 + 1 = 4\nAnswer: 4", "3 + 1 = 5\nAnswer: 5")
    assert row["prompt"] == "What is p?\n"
    assert row["reason"] == "right against the nearest wrong, edit distance 2"
    assert built.facts["form"] == "preference"


def test_no_solution_is_in_two_pairs_of_a_problem():
    right = [solution("a", "aaaa"), solution("b", "aaab")]
    wrong = [solution("x", "aaac")]
    config = PreferenceConfig()
    assert names(pair_by_grade(right, wrong, config)) == [("a", "x")]
    wrong.append(solution("y", "zzzz"))
    assert names(pair_by_grade(right, wrong, config)) == [("a", "x"), ("b", "y")]


def test_random_pairs_follow_the_order_of_the_pool():
    right = [solution("a", "aaaa"), solution("b", "bbbb")]
    wrong = [solution("x", "bbbb"), solution("y", "aaaa")]
    config = PreferenceConfig(pairing="random", per_problem=1)
    assert names(pair_by_grade(right, wrong, config)) == [("a", "x")]


def test_margins_pair_the_best_with_what_is_far_enough_below():
    scored = [
        solution("a", "xx", 0.9), solution("b", "yx", 0.8), solution("c", "zz", 0.5),
        solution("d", "yy", 0.1),
    ]  # fmt: skip
    worst = PreferenceConfig(by="margin", min_margin=0.3, pairing="random")
    assert names(pair_by_margin(scored, worst)) == [("a", "d"), ("b", "c")]
    nearest = PreferenceConfig(by="margin", min_margin=0.3)
    assert names(pair_by_margin(scored, nearest)) == [("a", "c"), ("b", "d")]
    assert names(pair_by_margin(scored[:2], nearest)) == []


def test_margins_are_read_from_the_verifier(fill, build):
    scores = {"r0": (0.9,), "r1": (0.2,), "w0": (0.4,), "w1": (0.3,), "w2": (0.1,)}
    fill(PROBLEMS, SOLUTIONS, scores=scores)
    rows, built = build({"type": "preference", "by": "margin", "min_margin": 0.55})
    assert [row["source_ids"] for row in rows] == [["r0", "w1"]]
    assert built.facts["verifier"] == "prm"


@pytest.mark.parametrize(("num_right", "num_wrong"), [(1, 4), (3, 3), (2, 5), (4, 3), (6, 4)])
def test_pairs_are_all_different_and_spread_evenly(num_right, num_wrong):
    right = [solution(f"r{i}") for i in range(num_right)]
    wrong = [solution(f"w{i}") for i in range(num_wrong)]
    everything = names(spread_pairs(right, wrong, None))
    assert len(everything) == len(set(everything)) == num_right * num_wrong
    for most in range(1, num_right * num_wrong):
        pairs = names(spread_pairs(right, wrong, most))
        assert pairs == everything[:most]
        for side, others in ((0, num_right), (1, num_wrong)):
            used = [pair[side] for pair in pairs]
            assert max(map(used.count, used)) <= math.ceil(most / others) + 1


def test_v_star_takes_problems_with_both_grades(fill, build):
    fill(PROBLEMS, SOLUTIONS)
    rows, _ = build({"type": "v_star"})
    assert {tuple(row["source_ids"]) for row in rows} == {
        (right, wrong) for right in ("r0", "r1") for wrong in ("w0", "w1", "w2")
    }
    assert len(build({"type": "v_star", "per_problem": 4})[0]) == 4


@pytest.fixture
def tree(make_trajectory):
    """A beam search: the best path a b c, and branches off it after zero, one and two steps."""

    def row(name, texts, status, scores, correct=None, parent=None, **fields):
        steps = [
            Step(text=f"{text}\n", num_tokens=1, score=score)
            for text, score in zip(texts, scores, strict=True)
        ]
        values = {"strategy": "beam", "budget": 4, "verifier": "prm", **fields}
        return make_trajectory(
            name,
            steps=tuple(steps),
            status=status,
            correct=correct,
            parent_id=parent and parent[0],
            branch_step=parent and parent[1],
            sample_index=int(name[1:]),
            **values,
        )

    return [
        row("t0", "abc", "finished", (0.9, 0.8, 0.7), correct=True),
        row("t1", "x", "finished", (0.95,), correct=False, parent=("t0", 2)),
        row("t2", "y", "pruned", (0.6,), parent=("t0", 1)),
        row("t3", "zz", "pruned", (0.85, 0.1)),
        row("t4", "y", "pruned", (0.6,), parent=("t0", 1)),
        row("t5", "k", "pruned", (0.2,), parent=("t0", 2), correct=True),
        row("t6", "v", "pruned", (0.9,), parent=("t2", 2)),
        row("t7", "ad", "finished", (0.9, 0.3), correct=True),
        row("t8", "m", "pruned", (0.75,), parent=("t0", 2)),
    ]


def test_branches_part_from_the_best_path_at_their_step(tree):
    """t8 scores higher than the step it left, t5 was right, t4 and t6 leave where t2 does."""
    found = [(p.branch.trajectory_id, p.place) for p in find_partings(tree)]
    assert found == [("t2", 1), ("t3", 0)]
    assert [p.branch.trajectory_id for p in find_partings(tree, 0.1)] == ["t2"]


def test_a_search_without_a_right_candidate_gives_nothing(tree):
    wrong = [row for row in tree if row.trajectory_id not in ("t0", "t7")]
    alone = [row for row in wrong if row.parent_id is None]
    assert list(find_partings(alone)) == []


def test_searches_of_other_prompts_are_no_trees(tree, make_trajectory):
    assert list(find_partings([make_trajectory(strategy="revisions[sequential=2]")])) == []


def test_search_trees_become_pairs_behind_their_prefix(tree, fill, build, unit_of):
    store = fill({"p0": {"question": "Go?"}})
    store.commit(unit_of("trajectories", name="train.beam", stage="search"), tree)
    rows, built = build({"type": "search_trees"})
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in rows] == [
        ("Go?\na\n", "b\n", "y\n"),
        ("Go?\n", "a\n", "z\n"),
    ]
    assert rows[0]["source_ids"] == ["t0", "t2"]
    assert built.facts["ends_with_text"] is False
    (row, _), built = build({"type": "search_trees", "span": "rest", "strategies": ["beam"]})
    # The pruned branch would have continued.
    assert built.facts["ends_with_text"] is False
    assert (row["chosen"], row["rejected"]) == ("b\nc\n", "y\n")


def test_a_search_by_another_score_is_used_and_its_lookaheads_are_not(tree, fill, build, unit_of):
    store = fill({"p0": {"question": "Go?"}})
    label = "lookahead[depth=1] by verifier[min]"
    searched = [replace(row, strategy=label) for row in tree]
    # A lookahead continues a row of the search; that row has another label.
    ahead = replace(
        tree[0],
        trajectory_id="ahead",
        strategy=f"{label} ahead",
        parent_id=tree[0].trajectory_id,
        branch_step=1,
        sample_index=99,
    )
    trees = unit_of("trajectories", name="train.lookahead", stage="search")
    store.commit(trees, [*searched, ahead])
    rows, _ = build({"type": "search_trees"})
    assert [(row["chosen"], row["rejected"]) for row in rows] == [
        ("b\n", "y\n"),
        ("a\n", "z\n"),
    ]


def test_rows_have_the_tokens_that_were_sampled(fill, build):
    fill(
        {"p": {"answer": "4"}},
        [("r", "p", "by sum\nAnswer: 4", True), ("w", "p", "by guess\nAnswer: 5", False)],
        token_ids=(11, 12, 2),
        vocabulary="v",
    )
    (row,), _ = build({"type": "v_star"})
    assert (row["chosen_ids"], row["rejected_ids"]) == ([11, 12, 2], [11, 12, 2])
    assert row["vocabulary"] == "v"
    (row,), _ = build({"type": "rest_em"})
    assert (row["completion_ids"], row["vocabulary"]) == ([11, 12, 2], "v")
    rows, _ = build({"type": "reverse_curriculum", "num_stages": 2})
    assert {row["prefix"]: row["prefix_ids"] for row in rows} == {"": [], "by sum\n": [11]}
    assert {row["vocabulary"] for row in rows} == {"v"}
