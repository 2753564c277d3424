"""`stepmill show` of what was critiqued: solution, critique and second attempts side by side."""

import json
from datetime import UTC, datetime

import pytest

from flows.tables.trajectory import show_trajectory
from schemas.rows import CRITIQUES, Critique, CritiqueStep, Step
from storage import connect

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def connection(store, unit_of, make_problem, make_trajectory):
    """A solution with two critiques, one second attempt with each, and a retry."""
    store.commit(unit_of("problems", name="eval", stage="problems"), [make_problem("p0")])
    first = make_trajectory("first", correct=False, answer="5")
    store.commit(unit_of("trajectories", name="eval.00000"), [first, make_trajectory("alone")])
    critiques = [
        Critique(
            critique_id=name,
            trajectory_id="first",
            problem_id="p0",
            critic=critic,
            told=told,
            sample_index=0,
            status="finished",
            fault=fault,
            text=f"said by {critic}\x1b[31m",
            steps=(CritiqueStep(verdict="wrong", text="wrong"),),
            first_error=0,
            verdict=False,
            leaks=leaks,
            temperature=0.0,
            seed=1,
            engine="test",
            created_at=AT,
        )
        for name, critic, told, fault, leaks in (
            ("said1", "critic-1", "nothing", None, False),
            ("said2", "critic-2", "answer", "it has no verdict", True),
        )
    ]
    store.commit(unit_of(CRITIQUES.name, name="eval.00000-c", stage="critiques"), critiques)
    attempts = [
        make_trajectory(
            name,
            role="refinement",
            strategy="refinement" if given else "retry",
            parent_id="first",
            branch_step=0,
            critique_id=given,
            steps=(Step(text=f"again {name}", num_tokens=2),),
        )
        for name, given in (("try1", "said1"), ("try2", "said2"), ("try3", None))
    ]
    store.commit(unit_of("trajectories", name="eval.00000-c-r", stage="refinements"), attempts)
    return connect(store.url)


def shown(connection, name, capsys):
    show_trajectory(connection, name, "text")
    return capsys.readouterr().out


def test_a_solution_is_shown_beside_everything_that_followed(connection, capsys):
    text = shown(connection, "first", capsys)
    lines = text.splitlines()
    (row,) = [line for line in lines if "said by critic-1" in line]
    assert row.split() == [
        "0",
        "2",
        "+",
        "2",
        "=",
        "4",
        "said",
        "by",
        "critic-1\\x1b[31m",
        "0",
        "again",
        "try1",
    ]
    assert any("critique by critic-2 told answer" in line for line in lines)
    assert "wrong, first error: step 0; it has no verdict; gives the answer away" in text
    (retry,) = [line for line in lines if "again try3" in line]
    assert "said by" not in retry
    assert "\x1b" not in text


def test_a_critique_is_shown_with_its_own_attempts(connection, capsys):
    text = shown(connection, "said2", capsys)
    assert "said by critic-2" in text
    assert "again try2" in text
    for other in ("critic-1", "again try1", "again try3"):
        assert other not in text


def test_a_second_attempt_is_shown_beside_its_solution(connection, capsys):
    text = shown(connection, "try1", capsys)
    assert "said by critic-1" in text
    assert "2 + 2 = 4" in text
    assert "critic-2" not in text
    assert "again try2" not in text
    text = shown(connection, "try3", capsys)
    assert "retry 0" in text
    assert "critique by" not in text


def test_a_solution_without_critiques_is_shown_alone(connection, capsys):
    text = shown(connection, "alone", capsys)
    assert "2 + 2 = 4" in text
    assert "critique" not in text
    assert "solution" not in text


def test_json_has_the_rows(connection, capsys):
    show_trajectory(connection, "try1", "json")
    whole = json.loads(capsys.readouterr().out)
    assert whole["trajectory"]["trajectory_id"] == "try1"
    assert whole["solution"]["trajectory_id"] == "first"
    assert [row["critique_id"] for row in whole["critiques"]] == ["said1"]
    assert [row["trajectory_id"] for row in whole["refinements"]] == ["try1"]
    show_trajectory(connection, "alone", "json")
    assert "critiques" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "found"), [("said", "several"), ("zz", "none"), ("try", "several")]
)
def test_an_id_must_name_one_row(connection, name, found):
    with pytest.raises(ValueError, match=f"got {found}"):
        show_trajectory(connection, name, "text")
