"""One trajectory in the terminal: its ids, where a rollout branched off, the first error."""

import json

import pytest

from flows.tables.trajectory import first_error, show_trajectory, steps_before
from schemas.rows import PROBLEMS, STEP_LABELS, TRAJECTORIES, Step, StepLabel
from storage import connect
from storage.queries import ask


def steps(*texts):
    return tuple(Step(text=text, num_tokens=1) for text in texts)


def label(index, hard, method="monte_carlo[n=8]"):
    return StepLabel(
        trajectory_id="s" * 8, step_index=index, method=method, completer="pol",
        evidence="answer", hard=hard,
    )  # fmt: skip


@pytest.fixture
def rows(store, unit_of, make_problem, make_trajectory):
    """A solution, a rollout from its first two steps, and a rollout from that one."""
    store.commit(unit_of(PROBLEMS.name), [make_problem("p" * 8)])
    solution = make_trajectory(
        "s" * 8, problem_id="p" * 8, steps=steps("a\n", "b\n", "c\n"), answer="7", correct=False
    )
    rollout = make_trajectory(
        "r" * 8, problem_id="p" * 8, steps=steps("x\n", "y\n"), parent_id="s" * 8, branch_step=2,
        role="rollout", answer=None, correct=None,
    )  # fmt: skip
    deeper = make_trajectory(
        "d" * 8, problem_id="p" * 8, steps=steps("z\n"), parent_id="r" * 8, branch_step=3,
        role="rollout",
    )  # fmt: skip
    store.commit(unit_of(TRAJECTORIES.name), [solution, rollout, deeper])
    labels = [label(0, True), label(1, False), label(2, False)]
    store.commit(unit_of(STEP_LABELS.name), labels)
    return store


def shown(store, name, capsys):
    show_trajectory(connect(store.url), name, "text")
    return capsys.readouterr().out


def test_a_solution_shows_its_ids_answer_grader_and_first_error(rows, capsys):
    text = shown(rows, "s", capsys)
    assert f"trajectory {'s' * 8}, problem {'p' * 8}, run " in text
    assert "answer 7, grader " in text
    marked = [line for line in text.splitlines() if "first error" in line]
    assert len(marked) == 1
    assert "b  ← first error (monte_carlo[n=8])" in marked[0]


def test_a_rollout_is_shown_with_its_prefix_and_where_it_branched(rows, capsys):
    text = shown(rows, "r", capsys)
    assert f"branches off {'s' * 8} after 2 steps" in text
    assert "no answer, grader " in text
    cells = [line.split("│")[1:3] for line in text.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in cells] == [
        ["", "a"], ["", "b"], ["0", "x"], ["1", "y"],
    ]  # fmt: skip
    show_trajectory(connect(rows.url), "r", "json")
    found = json.loads(capsys.readouterr().out)
    assert [step["text"] for step in found["prefix"]] == ["a\n", "b\n"]


def test_a_prefix_goes_through_every_parent(rows):
    connection = connect(rows.url)
    (row,) = ask(connection, "trajectories_by_id", id="d")
    assert [step["text"] for step in steps_before(connection, row)] == ["a\n", "b\n", "x\n"]


def test_a_parent_that_is_missing_is_named(store, unit_of, make_trajectory):
    lost = make_trajectory("l", steps=steps("z"), parent_id="gone", branch_step=1)
    store.commit(unit_of(TRAJECTORIES.name), [lost])
    connection = connect(store.url)
    (row,) = ask(connection, "trajectories_by_id", id="l")
    with pytest.raises(ValueError, match="trajectory l continues 1 steps of gone"):
        steps_before(connection, row)


@pytest.mark.parametrize(
    ("hard", "found"),
    [
        ({"m": [True, False, False]}, (1, "m")),
        ({"m": [True, None, True]}, None),
        ({"a": [False, True], "checker": [True, False]}, (1, "checker")),
        ({"a": [False, True], "checker": [True, True]}, None),
        ({}, None),
    ],
)
def test_the_checker_has_the_last_word_on_the_first_error(hard, found):
    labels = [
        {"method": method, "step_index": i, "hard": each}
        for method, values in hard.items()
        for i, each in enumerate(values)
    ]
    assert first_error(labels) == found
