import random
from itertools import islice

from tasks.world.checker import check_steps
from tasks.world.problems import iterate_problems, parse_question
from tasks.world.students import write_solution


def _write(problem, seed, **kwargs):
    return write_solution(problem, random.Random(seed), **kwargs)


def _misread_rate(question, wrong_answers):
    problem = parse_question(question)
    solutions = [_write(problem, seed) for seed in range(2000)]
    return sum(s.endswith(tuple(f"Answer: {a}" for a in wrong_answers)) for s in solutions) / 2000


def test_flawless_students_are_right_in_every_step():
    for index, problem in enumerate(islice(iterate_problems(5, "train"), 1500)):
        solution = _write(problem, index, flawless=True)
        check = check_steps(problem, solution.split("\n"))
        assert set(check.kinds) == {"ok"}, (problem.question, solution)
        assert check.is_correct


def test_one_seed_is_one_student():
    problem = next(iterate_problems(5, "train", levels=(5,)))
    assert _write(problem, 1) == _write(problem, 1)
    assert len({_write(problem, seed) for seed in range(50)}) > 10


def test_solution_quotes_the_sentence_and_ends_in_an_answer():
    problem = parse_question(
        "Monday: Dan has 34 books. Tuesday: Ana buys 7 books from Dan. "
        "How many books does Dan have now?"
    )
    solution = _write(problem, 0, flawless=True)
    assert solution == "Tuesday: [buys from] 34 - 7 = 27\nAnswer: 27"


def test_most_students_fall_into_trap_a_and_a_minority_into_trap_b():
    trap_a = "Monday: Dan has 34 books. Tuesday: Ana buys 7 books from Dan. "
    trap_b = "Monday: Dan has 34 books. Tuesday: Dan buys 7 books twice. "
    easy = "Monday: Dan has 34 books. Tuesday: Dan buys 7 books. "
    asked = "How many books does Dan have now?"
    assert 0.50 < _misread_rate(trap_a + asked, [41]) < 0.72
    assert 0.30 < _misread_rate(trap_b + asked, [41]) < 0.46
    assert _misread_rate(easy + asked, [27]) < 0.08


def test_a_misreading_is_kept_up_through_a_solution():
    problem = parse_question(
        "Monday: Dan has 40 books. Tuesday: Dan buys 3 books for Ana. Wednesday: Dan buys 5 books "
        "for Ana. Thursday: Dan finds 9 books. How many books does Dan have now?"
    )
    answers = [_write(problem, seed).rpartition(": ")[2] for seed in range(1000)]
    consistent = answers.count("49") + answers.count("57")
    mixed = answers.count("52") + answers.count("54")
    assert consistent > 5 * mixed
