import time

import pytest

from tasks.graders import extract_answer, gold_from_solution


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        # boxes
        (r"so \boxed{18}.", "18"),
        (r"\boxed{1} and then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ 1 \right.}", r"\left\{ 1 \right."),
        (r"\boxed{ \boxed{5} }", "5"),
        (r"\boxed {7}", "7"),
        (r"\boxed{3} or rather \boxed{4", "3"),
        (r"\boxed{3} or rather \boxed{}", "3"),
        (r"} \boxed{3}", "3"),
        (r"Answer: 9, I mean \boxed{8}", "8"),
        # a box that is never closed, and one that is empty
        (r"\boxed{18", None),
        (r"\boxed{\frac{1}{2}", None),
        (r"Answer: \boxed{18", None),
        (r"\boxed{}", None),
        # marked lines
        ("3 + 4 = 7\nAnswer: 7", "7"),
        ("Answer: 7\n", "7"),
        ("**Answer:** 7", "7"),
        ("**Answer**: 7 apples.", "7 apples"),
        ("Final answer = 7", "7"),
        ("Answer:\n7\nThat is all.", "7"),
        ("The answer is 7. It was easy.", "7"),
        ("The answer is: $3.50.", "$3.50"),
        (r"The final answer is $\frac{1}{2}$. I hope it is correct.", r"$\frac{1}{2}$"),
        ("THE ANSWER IS 7", "7"),
        ("Tom eats 3.\n#### 18", "18"),
        ("Answer: 7\n#### 8", "8"),
        ("#### 8\nAnswer: 7", "7"),
        ("Answer: 6\nAnswer: 7", "7"),
        ("Answer:", None),
        # no answer is marked
        ("3 + 4 = 7", None),
        ("many answers: 3", None),
        ("", None),
    ],
)
def test_extracts_the_marked_answer(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3 + 4 = 7", "7"),
        ("it costs $1,234.50, then", "1,234.50"),
        ("from 3 to -4.", "-4"),
        ("3 + 4 = 7\nAnswer: 8\nnot 9", "8"),
        ("no number", None),
    ],
)
def test_last_number_counts_only_when_asked_for_and_nothing_is_marked(text, answer):
    assert extract_answer(text, last_number=True) == answer


@pytest.mark.parametrize(
    ("solution", "gold"),
    [
        ("She makes 9 * 2 = $<<9*2=18>>18.\n#### 18", "18"),
        ("#### 2,125\n", "2,125"),
        (r"Hence $x = \boxed{\frac{3}{4}}.$", r"\frac{3}{4}"),
        ("no mark", None),
    ],
)
def test_gold_answer_of_a_reference_solution(solution, gold):
    assert gold_from_solution(solution) == gold


@pytest.mark.parametrize(
    "text",
    [
        "{" * 1_000_000,
        r"\boxed{" * 150_000,
        r"\boxed{" + "{" * 1_000_000,
        "answer: " * 125_000,
        "Answer: \\boxed{" * 60_000,
        "####" * 250_000,
        " " * 1_000_000,
        "answer" + " " * 1_000_000,
        "1" * 1_000_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_megabyte_takes_seconds_at_most(text):
    started = time.process_time()
    extract_answer(text, last_number=True)
    assert time.process_time() - started < 10
