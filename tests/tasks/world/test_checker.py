import pytest

from tasks.world.checker import check_solution

QUESTION = (
    "Monday: Dan has 34 books. Tuesday: Ana buys 7 books from Dan. "
    "Wednesday: Dan buys 2 bags of 4 books. How many books does Dan have now?"
)
TWICE = "Monday: Eva has 20 pens. Tuesday: Eva buys 4 pens twice. How many pens does Eva have now?"


@pytest.mark.parametrize(
    ("solution", "kinds", "answer"),
    [
        (
            "Tuesday: [buys from] 34 - 7 = 27\nWednesday: [buys] 2 * 4 = 8\n"
            "Wednesday: [buys] 27 + 8 = 35\nAnswer: 35",
            ["ok", "ok", "ok", "ok"],
            35,
        ),
        ("4 * 2 = 8\n8 - 7 = 1\n1 + 34 = 35\nAnswer: 35\n", ["ok", "ok", "ok", "ok"], 35),
        ("34 - 7 = 28\n2 * 4 = 8\n28 + 8 = 36\nAnswer: 36", ["slip"] + ["after"] * 3, 36),
        ("34 - 7 = 27\n3 * 4 = 12\nAnswer: 39", ["ok", "wrong_operand", "after"], 39),
        ("34 - 7 = 27\n34 + 7 = 41\nAnswer: 41", ["ok", "wrong_operand", "after"], 41),
        ("34 + 7 = 41\n2 * 4 = 8\nAnswer: 49", ["wrong_op", "after", "after"], 49),
        ("2 + 4 = 6\nAnswer: 35", ["wrong_op", "after"], 35),
        ("34 - 7 = 27\nAnswer: 27", ["ok", "skipped"], 27),
        ("34 - 7 = 27\n2 * 4 = 8\nAnswer: 27", ["ok", "ok", "skipped"], 27),
        ("34 - 7 = 27\n2 * 4 = 8\n27 + 8 = 35\nAnswer: 53", ["ok"] * 3 + ["miscopied"], 53),
        ("34 - 7 = 27\n2 times 4 is 8\nAnswer: 35", ["ok", "malformed", "after"], 35),
        ("34 - 7 = 27\n2 * 4", ["ok", "malformed"], None),
        ("34 - 7 = 27\n2 * 4 = 8", ["ok", "ok"], None),
        (
            "34 - 7 = 27\n2 * 4 = 8\n27 + 8 = 35\nAnswer: 35\nAnswer: 36",
            ["ok"] * 4 + ["malformed"],
            35,
        ),
        ("9" * 5000 + " - 7 = 1\nAnswer: 1", ["malformed", "after"], 1),
        ("", [], None),
    ],
)
def test_each_step_gets_its_kind(solution, kinds, answer):
    check = check_solution(QUESTION, solution)
    assert list(check.kinds) == kinds
    assert check.answer == answer
    assert check.is_correct == (answer == 35)


@pytest.mark.parametrize("product", ["4 + 4", "4 * 2", "2 * 4"])
def test_twice_may_be_written_three_ways(product):
    check = check_solution(TWICE, f"{product} = 8\n20 + 8 = 28\nAnswer: 28")
    assert check.first_error is None
    assert check.is_correct


def test_a_right_answer_does_not_excuse_a_wrong_step():
    check = check_solution(QUESTION, "34 + 1 = 35\nAnswer: 35")
    assert check.is_correct
    assert check.first_error == 0
    assert check.labels == (False, False)


def test_results_below_zero_are_no_steps():
    check = check_solution(QUESTION, "7 - 34 = 27\nAnswer: 27")
    assert check.kinds[0] == "wrong_op"


def test_two_losses_may_be_added_first():
    question = (
        "Monday: Dan has 34 books. Tuesday: Dan loses 7 books. Wednesday: Dan sells 5 books. "
        "How many books does Dan have now?"
    )
    assert check_solution(question, "7 + 5 = 12\n34 - 12 = 22\nAnswer: 22").first_error is None
    assert check_solution(question, "7 - 5 = 2\n34 - 2 = 32\nAnswer: 32").first_error == 0


def test_questions_of_elsewhere_are_refused():
    with pytest.raises(ValueError, match="built-in world"):
        check_solution("What is 2 + 2?", "Answer: 4")
