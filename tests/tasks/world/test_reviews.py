import random
from itertools import islice

import pytest

from tasks.world.checker import check_steps
from tasks.world.problems import iterate_problems, parse_question
from tasks.world.reviews import (
    Review,
    StepReview,
    again_prompt,
    find_note,
    nod,
    parse_review,
    review,
    review_prompt,
)
from tasks.world.students import Note, write_solution

PROBLEM = parse_question(
    "Monday: Dan has 34 books. Tuesday: Dan buys 7 books for Ana. Wednesday: Ana buys 9 books "
    "from Dan. Thursday: Dan buys 4 books twice. Friday: Dan finds 2 bags of 5 books. "
    "How many books does Dan have now?"
)
# 34, - 9 = 25, + 8 = 33, + 10 = 43
BUYS_FROM = "Wednesday: [buys from] 34 - 9 = 25"
TWICE = "Thursday: [twice] 4 * 2 = 8\nThursday: [twice] 25 + 8 = 33"
FINDS = "Friday: [finds] 2 * 5 = 10\nFriday: [finds] 33 + 10 = 43"


def _found(*lines):
    return review(PROBLEM, "\n".join(lines)).text.split("\n")


def test_a_right_solution_is_right_in_every_line():
    assert _found(BUYS_FROM, TWICE, FINDS, "Answer: 43") == [
        "Wednesday: [buys from] right",
        "Thursday: [twice] right",
        "Thursday: [twice] right",
        "Friday: [finds] right",
        "Friday: [finds] right",
        "Answer: right",
        "Review: right",
    ]


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (["Tuesday: [buys for] 34 + 7 = 41"], "Tuesday: [buys for] wrong, leave out"),
        (["Wednesday: [buys from] 34 + 9 = 43"], "Wednesday: [buys from] wrong, take away"),
        (["Wednesday: [buys from] 34 - 9 = 26"], "Wednesday: [buys from] wrong, the sum"),
        ([BUYS_FROM, BUYS_FROM], "Wednesday: [buys from] wrong, not there"),
        (["Wednesday: [buys from] 9 * 2 = 18"], "Wednesday: [buys from] wrong, not there"),
        ([BUYS_FROM, "Thursday: [twice] 25 + 4 = 29"], "Thursday: [twice] wrong, each time"),
        (
            [BUYS_FROM, "Thursday: [twice] 4 + 4 = 8", "Thursday: [twice] 25 - 8 = 17"],
            "Thursday: [twice] wrong, add",
        ),
        ([BUYS_FROM, TWICE, "Thursday: [twice] 4 * 2 = 8"], "Thursday: [twice] wrong, not there"),
        (["Friday: [finds] 2 + 5 = 7"], "Friday: [finds] wrong, multiply"),
        ([BUYS_FROM, FINDS, "Answer: 35"], "Friday: [finds] wrong, not there"),
        (
            [BUYS_FROM, TWICE, "Answer: 33"],
            "Friday: [finds] missing, add",
        ),
        (
            ["Friday: [finds] 2 * 5 = 10", "Friday: [finds] 34 + 10 = 44", "Answer: 44"],
            "Wednesday: [buys from] missing, take away",
        ),
        (
            [BUYS_FROM, "Friday: [finds] 2 * 5 = 10", "Friday: [finds] 25 + 10 = 35", "Answer: 35"],
            "Thursday: [twice] missing, each time",
        ),
        ([BUYS_FROM, TWICE, FINDS, "Answer: 44"], "Answer: wrong"),
        ([BUYS_FROM, TWICE, FINDS], "Answer: missing"),
        (["Dan has 43 books."], "wrong"),
        (["Sunday: [finds] 1 + 1 = 2"], "Sunday: [finds] wrong"),
        ([], "Answer: missing"),
    ],
)
def test_the_first_error_is_named_with_what_to_do(lines, last):
    found = _found(*lines)
    assert found[-2:] == [last, "Review: wrong"]
    assert all(line.endswith(" right") for line in found[:-2])


def test_the_annotator_agrees_with_the_checker_on_every_students_solution():
    for number, problem in enumerate(islice(iterate_problems(7, "train"), 1500)):
        solution = write_solution(problem, random.Random(number))
        check = check_steps(problem, solution.split("\n"))
        found = review(problem, solution)
        assert found.first_error == check.first_error
        assert (found.verdict == "right") == (check.first_error is None)
        assert len(found.lines) == (
            len(check.kinds) if check.first_error is None else check.first_error + 1
        )
        assert parse_review(found.text, len(check.kinds)) == found


def test_somebody_who_overlooks_slips_goes_on_with_the_wrong_number():
    slipped = [BUYS_FROM.replace("25", "26"), TWICE.replace("25", "26").replace("33", "34")]
    rest = [FINDS.replace("33", "34").replace("43", "44"), "Answer: 44"]
    solution = "\n".join(slipped + rest)
    assert review(PROBLEM, solution).first_error == 0
    assert review(PROBLEM, solution, sees_slips=False).verdict == "right"
    # What follows is still judged: 34 + 10 is there, 33 + 10 is not.
    wrong = "\n".join([*slipped, FINDS, "Answer: 43"])
    assert review(PROBLEM, wrong, sees_slips=False).first_error == 4


@pytest.mark.parametrize(
    ("text", "num_steps", "first_error", "verdict", "faults"),
    [
        ("Tuesday: [buys] right\nAnswer: right\nReview: right", 2, None, "right", ()),
        ("Tuesday: [buys] wrong, add\nReview: wrong\n", 2, 0, "wrong", ()),
        ("  Tuesday: [buys] right \n\nAnswer: wrong\n Review: wrong", 2, 1, "wrong", ()),
        ("Tuesday: [buys] right\nAnswer: missing\nReview: wrong", 1, 1, "wrong", ()),
        ("", 2, None, None, ("no verdict", "too few lines")),
        ("Answer: 35", 2, None, None, ("no verdict", "too few lines", "gives an answer")),
        ("Review: wrong", 2, None, "wrong", ("too few lines", "contradiction")),
        ("Tuesday: [buys] right\nReview: right", 2, None, "right", ("too few lines",)),
        ("right\nright\nright\nReview: right", 2, None, "right", ("too many lines",)),
        ("wrong\nright\nReview: wrong", 2, 0, "wrong", ("too many lines",)),
        ("right\nright\nwrong\nReview: wrong", 2, 2, "wrong", ("too many lines",)),
        ("wrong, add\nReview: right", 2, 0, "right", ("contradiction",)),
        ("right\nright\nReview: right\nReview: wrong", 2, None, "right", ("unreadable line",)),
        ("Looks fine!\nright\nReview: right", 1, None, "right", ("unreadable line",)),
        ("wrong, subtract\nReview: wrong", 1, None, "wrong",
         ("too few lines", "contradiction", "unreadable line")),
    ],
)  # fmt: skip
def test_any_text_is_read_and_its_faults_are_told(text, num_steps, first_error, verdict, faults):
    read = parse_review(text, num_steps)
    assert (read.first_error, read.verdict, read.faults) == (first_error, verdict, faults)


def test_a_nod_finds_every_line_right():
    nodded = nod("Tuesday: [buys for] 34 + 7 = 41\nAnswer: 41")
    assert nodded.text == "Tuesday: [buys for] right\nAnswer: right\nReview: right"


def test_a_note_names_the_event_by_its_day():
    found = review(PROBLEM, "Wednesday: [buys from] 34 + 9 = 43\nAnswer: 43")
    assert find_note(found, PROBLEM) == Note(1, "take away")
    assert find_note(nod("Answer: 43"), PROBLEM) is None
    for line in (
        StepReview("Sunday: [finds] ", "wrong", "add"),
        StepReview("Answer: ", "wrong", "add"),
        StepReview("Friday: [finds] ", "wrong"),
    ):
        assert find_note(Review((line,), "wrong"), PROBLEM) is None


def test_prompts_say_what_is_asked_for():
    assert review_prompt("Q?", "S\n") == "Q?\nS\nReview:\n"
    assert review_prompt("Q?", "S", "K") == "Q?\nKey:\nK\nAttempt:\nS\nReview:\n"
    assert again_prompt("Q?", "S") == "Q?\nS\nAgain:\n"
    assert again_prompt("Q?", "S", "R\n") == "Q?\nS\nReview:\nR\nAgain:\n"
