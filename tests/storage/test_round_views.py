"""The view of a loop's samples, round by round."""

import pytest

from schemas.rows import Step
from storage import connect, query


@pytest.fixture
def grown(store, unit_of, make_problem, make_trajectory):
    """Two problems, solved by one policy in two rounds; other solutions belong to no round."""
    problems = [make_problem("p0", split="train"), make_problem("p1", split="train")]
    store.commit(unit_of("problems", stage="problems"), problems)

    def solution(name, problem, text, *, correct, number: int | None = 1, **fields):
        steps = tuple(Step(text=part, num_tokens=3) for part in text.splitlines(keepends=True))
        return make_trajectory(
            name, problem_id=problem, steps=steps, correct=correct, round=number, **fields
        )

    rows = [
        solution("a", "p0", "So 1 + 2 = 3\n3", correct=True),
        solution("b", "p0", "Thus 1 + 2 = 3\n3", correct=True),
        solution("c", "p0", "So 1 + 2 = 3\n3", correct=True),
        solution("d", "p0", "2 + 1 = 3\n3", correct=True),
        solution("e", "p0", "1 + 1 = 2\n2", correct=False),
        solution("f", "p1", "cut", correct=None, answer=None, status="truncated"),
        solution("i", "p1", "limit", correct=None),
        solution("g", "p1", "9", correct=False, number=2),
        solution("h", "p1", "9", correct=True, number=None),
    ]
    store.commit(unit_of("trajectories"), rows)
    return store


def test_a_round_counts_right_solutions_and_how_varied_they_are(grown):
    found = query(connect(grown.url), "select * exclude (run_id, policy) from rounds order by all")
    assert found.columns == [
        "round",
        "split",
        "num_problems",
        "num_solved",
        "num_solutions",
        "num_counted",
        "num_right",
        "num_texts",
        "num_paths",
        "num_tokens",
    ]
    # "So" and "Thus" before the same sum are two texts and one path.
    assert found.fetchall() == [
        (1, "train", 2, 1, 7, 6, 4, 3, 2, 36),
        (2, "train", 1, 0, 1, 1, 0, 0, 0, 3),
    ]
