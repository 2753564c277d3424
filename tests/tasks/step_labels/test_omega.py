"""The tree of OmegaPRM by hand; against an engine it is tested in `test_rollouts.py`."""

import pytest

from schemas.rows import Step
from schemas.step_labels import MonteCarloConfig, TreeConfig
from tasks.step_labels.labels import label_steps
from tasks.step_labels.omega import exploitation, exploration, grow_tree, join_rollout
from tasks.steps.trees import whole_steps

PUBLISHED = TreeConfig()
CONFIG = MonteCarloConfig(
    num_rollouts=4, search="omega", audit_fraction=0, tree=TreeConfig(length_scale_tokens=100)
)


def steps_of(words):
    """A step of 100 tokens per word."""
    words = words.split()
    ends = [*["\n"] * (len(words) - 1), ""]
    return tuple(Step(text=w + end, num_tokens=100) for w, end in zip(words, ends, strict=True))


@pytest.fixture
def make_solution(make_trajectory):
    def make(trajectory_id, words, correct, **fields):
        steps = steps_of(words)
        return make_trajectory(
            trajectory_id, **{"steps": steps, "correct": correct, "policy": "another", **fields}
        )

    return make


@pytest.fixture
def grow(make_trajectory):
    """Grow a tree from a table of rollouts by prefix; the tree, and the rows that it asked for."""

    def grow_from(solutions, table, config=CONFIG, known=()):
        rows, asked = [], []
        growth = grow_tree(solutions, known, config)
        whole, num_steps = next(growth)
        while True:
            prefix = "".join(step.text for step in whole.steps[:num_steps]).split()
            asked.append(" ".join(prefix))
            drawn = [
                make_trajectory(
                    f"{'.'.join(prefix) or 'root'}-{index}",
                    strategy="rollout",
                    role="rollout",
                    parent_id=whole.trajectory_id,
                    branch_step=num_steps,
                    sample_index=index,
                    steps=steps_of(words),
                    correct=correct,
                )
                for index, (words, correct) in enumerate(table[" ".join(prefix)])
            ]
            rows += drawn
            try:
                whole, num_steps = growth.send(drawn)
            except StopIteration as end:
                return end.value, asked, rows

    return grow_from


TABLE = {
    "": [("v1 v2", False), ("good", True), ("good", True), ("good", True)],
    "v1": [("p", False), ("q", False), ("q", False), ("good", True)],
    "w1 w2": [("bad", False)] * 4,
    "w1": [("good", True)] * 4,
}


@pytest.mark.parametrize(
    ("share", "num_tokens", "expected"),
    [(0.125, 100, 0.533884), (0.5, 100, 0.692362), (0.875, 100, 0.897883), (0.5, 500, 0.636396)],
)
def test_exploitation_by_hand(share, num_tokens, expected):
    assert exploitation(share, num_tokens, PUBLISHED) == pytest.approx(expected, abs=1e-6)


def test_exploration_by_hand():
    assert exploration(3, 10, PUBLISHED) == pytest.approx(0.098821, abs=1e-6)
    assert exploration(0, 0, PUBLISHED) == 0


def test_selections_follow_values_computed_by_hand(make_solution, grow):
    """A table of Q + U before each selection, with alpha .5, beta .9 per 100 tokens, c .125.

    root (MC 3/4) has w of 400 tokens, Q = .5^.25 * .9^4 = .5517, and v of 200, Q = .6812;
    v1 (MC 1/4) has p and q of 100, Q = .5^.75 * .9 = .5351.

        visits (root, v1)   w               v       p               q
        0, 0                .5517           .6812                           v: tests v1
        1, 0                .5517 + .0625           .5351 + .125    same    p: nothing to test
        1, 1                .5517 + .0884                           + .0884 w: tests w1 w2, then w1
        2, 1                                                                q

    Without visits that count, w would be second.
    """
    wrong = make_solution("w", "w1 w2 w3 w4", False)
    tree, asked, _ = grow([wrong], TABLE)
    assert asked == ["", "v1", "w1 w2", "w1"]
    # Selected rollouts in the order of selection; both q are one, as are a solution and itself.
    assert [s.text.split() for s in tree.solutions.values()] == [
        ["w1", "w2", "w3", "w4"],
        ["v1", "v2"],
        ["v1", "p"],
        ["v1", "q"],
    ]
    assert [state.visits for state in tree.states.values()] == [2, 2, 0, 0]
    assert (tree.num_searches, tree.num_rollouts, tree.pool) == (4, 16, [])


def test_priorities_by_hand(make_solution, grow):
    limit = CONFIG.tree.with_fields(max_searches=1)
    wrong = make_solution("w", "w1 w2 w3 w4", False)
    tree, _, _ = grow([wrong], TABLE, CONFIG.with_fields(tree=limit))
    found = {c.solution.text.replace("\n", " "): tree.priority(c, 1) for c in tree.pool}
    assert found == {
        "w1 w2 w3 w4": pytest.approx(0.5517 + 0.0625, abs=1e-4),
        "v1 p": pytest.approx(0.5351 + 0.125, abs=1e-4),
        "v1 q": pytest.approx(0.5351 + 0.125, abs=1e-4),
    }


def test_labels_are_estimates_where_tested_and_inferred_elsewhere(make_solution, grow):
    wrong = make_solution("w", "w1 w2 w3 w4", False)
    right = make_solution("r", "w1 w2 x y", True)
    _, _, rows = grow([wrong, right], TABLE)
    labels = label_steps([wrong, right], rows, CONFIG)
    found = {}
    for label in labels:
        found.setdefault(label.trajectory_id, []).append((label.evidence, label.soft, label.hard))
    assert found == {
        "w": [
            ("rollouts", 1.0, True),
            ("rollouts", 0.0, False),
            ("inferred", None, False),
            ("answer", 0.0, False),
        ],
        "r": [
            ("rollouts", 1.0, True),
            ("rollouts", 0.0, False),
            ("inferred", None, True),
            ("answer", 1.0, True),
        ],
        "root-0": [("rollouts", 0.25, True), ("answer", 0.0, False)],
        "v1-0": [("rollouts", 0.25, True), ("answer", 0.0, False)],
        "v1-1": [("rollouts", 0.25, True), ("answer", 0.0, False)],
    }
    assert {label.method for label in labels} == {"monte_carlo[n=4,omega]"}
    by_id = {row.trajectory_id: row for row in (*rows, wrong, right)}
    assert len(whole_steps(by_id["v1-0"], by_id)) == 2


def test_a_replay_with_too_few_rollouts_is_refused(make_solution, grow):
    wrong = make_solution("w", "w1 w2 w3 w4", False)
    _, _, rows = grow([wrong], TABLE)
    kept = [row for row in rows if row.trajectory_id != "w1-0"]
    with pytest.raises(ValueError, match=r"trajectory w, step 0: .* needs more than the 3 "):
        label_steps([wrong], kept, CONFIG)


@pytest.mark.parametrize("verdict", [True, False, None])
def test_a_question_that_is_always_or_never_solved_has_no_tree(make_solution, grow, verdict):
    wrong = make_solution("w", "w1 w2 w3", False)
    tree, asked, rows = grow([wrong], {"": [("x y", verdict)] * 4})
    assert (asked, tree.pool, tree.num_searches) == ([""], [], 0)
    labels = label_steps([wrong], rows, CONFIG)
    assert [label.hard for label in labels] == [None, None, False]


def test_solutions_that_count_save_draws_of_the_root(make_solution, grow):
    solutions = [
        make_solution(f"s{i}", words, correct, policy="policy-0")
        for i, (words, correct) in enumerate([("a b c", False), ("good", True)])
    ]
    table = {"": [("good", True), ("a b c", False)], "a": [("good", True)] * 4}
    table["a b"] = [("c", False)] * 4
    tree, asked, rows = grow(solutions, table, known=(False, True))
    assert asked == ["", "a", "a b"]
    (root, _, _) = tree.states.values()
    assert root.verdicts == (False, True, True, False)
    # The solution and the equal draw are one candidate; only four verdicts are needed.
    assert sorted(tree.solutions) == ["a\nb\nc", "good"]
    labels = label_steps(solutions, rows, CONFIG)
    assert [label.hard for label in labels] == [True, False, False, True]


def test_limits_end_the_growth_before_the_next_search(make_solution, grow):
    wrong = make_solution("w", "w1 w2 w3 w4", False)
    for limit, expected in (
        ({"max_searches": 1}, ["", "v1"]),
        ({"max_rollouts": 4}, [""]),
        ({"max_rollouts": 5}, ["", "v1"]),
        ({"max_searches": 3}, ["", "v1", "w1 w2", "w1"]),
    ):
        config = CONFIG.with_fields(tree=CONFIG.tree.with_fields(**limit))
        assert grow([wrong], TABLE, config)[1] == expected


def test_a_prefix_without_a_verdict_ends_its_search(make_solution, grow):
    wrong = make_solution("w", "w1 w2 w3 w4", False)
    table = {**TABLE, "w1 w2": [("cut", None)] * 4}
    tree, asked, rows = grow([wrong], table)
    assert asked == ["", "v1", "w1 w2"]
    labels = [x for x in label_steps([wrong], rows, CONFIG) if x.trajectory_id == "w"]
    assert [label.hard for label in labels] == [None, None, None, False]
    assert tree.num_searches == 4


def test_a_whole_solution_has_the_tokens_of_both_parts(make_solution):
    whole = make_solution(
        "w",
        "a b",
        False,
        steps=(Step(text="a\n", num_tokens=2), Step(text="b", num_tokens=1)),
        token_ids=(5, 6, 7, 0),
        vocabulary="v",
    )
    row = make_solution("r", "c", False, token_ids=(8, 0), vocabulary="v")
    joined = join_rollout(whole, 1, row)
    assert (joined.trajectory_id, joined.text, joined.token_ids) == ("r", "a\nc", (5, 6, 8, 0))
    for other in ({"token_ids": None}, {"vocabulary": "another"}):
        row_of_other = make_solution("r", "c", False, **{"token_ids": (8,), **other})
        assert join_rollout(whole, 1, row_of_other).token_ids is None
