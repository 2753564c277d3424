"""Programs as votes: those that do the same on the tests' inputs have the same answer."""

import json

import pytest

from schemas.graders import BehaviourGraderConfig, ProgramGraderConfig
from tasks.graders import has_votes, make_grader
from tasks.sandbox import sandbox_fault

pytestmark = pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))


@pytest.fixture(scope="module")
def grader():
    return make_grader(BehaviourGraderConfig(timeout_s=1))


@pytest.fixture
def classes_of(grader, make_problem):
    """The numbers of the answers of texts, and whether each is right."""

    def grade(check, *texts):
        problem = make_problem(answer="", check=json.dumps(check))
        grades = [grader.grade(text, problem) for text in texts]
        return grader.classes([each.answer for each in grades]), [each.correct for each in grades]

    return grade


def test_functions_that_return_equal_values_vote_together(classes_of):
    numbers, correct = classes_of(
        ["assert add(1, 2) == 3", "assert add(2, 2) == 4"],
        "def add(a, b): return a + b",
        "def add(a, b): return float(b) + a",
        "def add(a, b): return 3",
        "def add(a, b): return a + 2 if a == 1 else 3",
        "def add(a, b): return 3 if a == 1 else 1 / 0",
        "def add(a, b): 1 / 0",
        "def add(a, b):\n    while True: pass",
        "def sub(a, b): return 3",
    )
    assert numbers == [0, 0, 1, 1, 2, None, None, None]
    assert correct == [True, True, False, False, False, False, False, False]


def test_order_counts_where_the_values_are_ordered(classes_of):
    numbers, _ = classes_of(
        ["assert f() is not None"],
        "def f(): return {'a', 'bb', 'ccc', 1}",
        "def f(): return {True, 'ccc', 'bb', 'a'}",
        "def f(): return {'x': 1, 'y': [2]}",
        "def f(): return {'y': [2], 'x': 1.0}",
        "def f(): return {'x': 1, 'y': (2,)}",
        "def f(): return [1, 2]",
        "def f(): return [2, 1]",
    )
    assert numbers == [0, 0, 1, 1, 2, 3, 4]


def test_arguments_that_are_changed_count(classes_of):
    numbers, correct = classes_of(
        ["x = [3, 1, 2]\norder(x)\nassert x == [1, 2, 3]"],
        "def order(x): x.sort()",
        "def order(x): x[:] = sorted(x)",
        "def order(x): x.reverse()",
        "def order(x): sorted(x)",
    )
    assert numbers == [0, 0, 1, 2]
    assert correct == [True, True, False, False]


def test_what_is_expected_is_not_part_of_a_behaviour(classes_of):
    """A test that ends the others where it fails would tell which programs are right."""
    tests = "import numpy as np\nfor i in (1, 2, 3):\n    np.testing.assert_allclose(f(i), i * i)\n"
    numbers, correct = classes_of(
        {"test": tests},
        "def f(x): return x * x",
        "def f(x): return x",
        "def f(x): return x if x < 3 else 0",
        "def f(x): return x * 1",
    )
    assert numbers == [0, 1, 2, 1]
    assert correct == [True, False, False, False]


def test_programs_that_print_the_same_lines_vote_together(classes_of):
    numbers, correct = classes_of(
        {"inputs": ["2\n", "5\n"], "outputs": ["4\n", "10\n"]},
        "print(2 * int(input()))",
        "n = int(input())\nprint(' ', n + n)",
        "print(4)",
        "print(input() + '0' if False else 4)",
        "print(1 / 0)",
    )
    assert numbers == [0, 0, 1, 1, None]
    assert correct == [True, True, False, False, False]


def test_answers_that_are_programs_are_no_votes(grader):
    with pytest.raises(ValueError, match=r"stepmill regrade --grader behaviour"):
        grader.classes(["def add(a, b): return a + b"])
    assert has_votes(BehaviourGraderConfig())
    assert not has_votes(ProgramGraderConfig())
    assert grader.name != make_grader(ProgramGraderConfig(timeout_s=1)).name
