"""What a critic is told of a solution."""

import pytest

from schemas.rows import Step
from tasks.critiques.keys import find_keys, known_words


@pytest.fixture
def error_path(make_trajectory):
    def make(strategy, error_step=None, note=None, **fields):
        values = {"role": "error_path", "strategy": strategy, "correct": False}
        return make_trajectory(
            strategy, error_step=error_step, error_note=note, **{**values, **fields}
        )

    return make


def test_what_is_known_of_an_error_path_is_told_in_words(error_path, make_problem, make_trajectory):
    problem = make_problem("p0")
    told = [
        known_words(problem, make_trajectory("t0")),
        known_words(problem, error_path("rg1")),
        known_words(problem, error_path("rg2", 1, "it may begin here")),
        known_words(problem, error_path("rg3", 0, "sign: it is added")),
    ]
    assert told == [
        "Answer: 4",
        "Answer: 4",
        "Answer: 4\nOf an error in step 2 or later: it may begin here",
        "Answer: 4\nStep 1 has an error: sign: it is added",
    ]


def test_steps_are_counted_as_they_are_shown(error_path, make_problem, make_trajectory):
    thought = Step(text="<think>Hm.</think>\n", num_tokens=4)
    steps = (thought, *make_trajectory().steps)
    row = error_path("rg3", 2, "sign: it is added", steps=steps, thinking_tokens=4)
    assert known_words(make_problem("p0"), row).endswith("Step 2 has an error: sign: it is added")


def test_each_solution_gets_its_own_key(error_path, make_problem, make_trajectory, make_job):
    rows = [
        error_path("rg3", 0, "sign: it is added"),
        make_trajectory("right"),
        make_trajectory("wrong", correct=False, problem_id="p1"),
    ]
    problems = {name: make_problem(name) for name in ("p0", "p1")}

    def keys(told, *further):
        job = make_job(critic={"type": "model", "told": told})
        return find_keys(problems, rows, job, further)

    assert keys("nothing") == {}
    assert set(keys("answer").values()) == {"Answer: 4"}
    assert keys("known")["rg3"] != keys("known")["right"] == "Answer: 4"
    right = "2 + 2 = 4\nAnswer: 4"
    assert keys("solution") == {"rg3": right, "right": right}
    further = make_trajectory("further", problem_id="p1")
    assert keys("solution", further) == {"rg3": right, "right": right, "wrong": right}


def test_a_right_answer_after_an_error_is_no_right_solution(error_path, make_problem, make_job):
    rows = [error_path("rg3", 0, "sign: it is added", correct=True)]
    job = make_job(critic={"type": "model", "told": "solution"})
    assert find_keys({"p0": make_problem("p0")}, rows, job) == {}
