"""Reading critiques: what good ones say, and a fault for each kind of bad one."""

import random

import pytest

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from tasks.critics.reading import fault_kind, leaks_answer, read_critique

LINES = LinesCritiqueConfig()
STEPWISE = StepwiseCritiqueConfig()
EVERY_STEP = StepwiseCritiqueConfig(judges="all")

RIGHT = "Tuesday: [finds] right\nAnswer: right\nReview: right"
WRONG = "Tuesday: [buys for] wrong, leave out\nReview: wrong"
DECORATED = """### **Step 1:** 2 + 2 = 4
- **Correctness:** ✅ Correct
- **Explanation:** two and two are four

### **Step 2:** 4 * 3 = 11
- **Correctness**: The step is **incorrect**.
- **Explanation:** four times three is twelve

---
**Conclusion:** The final answer is **wrong**.
"""


def verdicts_of(text, num_steps, config):
    read = read_critique(text, num_steps, config)
    return [step.verdict for step in read.steps], read.verdict, read.fault


@pytest.mark.parametrize(
    ("text", "num_steps", "expected"),
    [
        (RIGHT, 2, (["right", "right"], True, None)),
        (WRONG, 5, (["wrong"], False, None)),
        (f"{WRONG}\nAgain:\nAnswer: 36", 5, (["wrong"], False, None)),
        ("a: RIGHT\n\n b: Missing, add 3 \nREVIEW:Wrong", 2, (["right", "wrong"], False, None)),
        ("", 2, ([], None, "it judges no step")),
        (" \n\n", 2, ([], None, "it judges no step")),
        ("36", 2, ([], None, "it judges no step")),
        ("Answer: 36", 2, ([], None, "it judges no step")),
        ("Review: wrong", 2, ([], False, "it judges no step")),
        ("a: right\nb: right", 2, (["right", "right"], None, "it has no verdict")),
        (
            "a: right\nReview: wrong",
            1,
            (["right"], False, "its verdict contradicts its steps"),
        ),
        (
            "a: wrong\nReview: right",
            3,
            (["wrong"], True, "its verdict contradicts its steps"),
        ),
        ("a: right\nReview: right", 2, (["right"], True, "it judges 1 steps of 2")),
        (
            "a: right\nb: right\nc: right\nReview: right",
            2,
            (["right"] * 3, True, "it judges 3 steps of 2"),
        ),
        (
            "a: right\nb: right\nc: wrong\nReview: wrong",
            2,
            (["right", "right", "wrong"], False, "it judges 3 steps of 2"),
        ),
        (
            "a: wrong\nb: right\nReview: wrong",
            2,
            (["wrong", "right"], False, "it judges 2 steps of 2"),
        ),
    ],
)
def test_lines(text, num_steps, expected):
    assert verdicts_of(text, num_steps, LINES) == expected


def test_a_wrong_line_ends_a_review_and_the_first_one_is_the_error():
    read = read_critique("a: right\nb: right\nc: wrong, add\nReview: wrong", 7, LINES)
    assert (read.first_error, read.fault) == (2, None)
    assert read.steps[2].text == "c: wrong, add"
    assert read_critique(RIGHT, 2, LINES).first_error is None


@pytest.mark.parametrize(
    ("text", "num_steps", "expected"),
    [
        (DECORATED, 2, (["right", "wrong"], False, None)),
        (DECORATED, 3, (["right", "wrong"], False, None)),
        (DECORATED, 1, (["right", "wrong"], False, "it judges 2 steps of 1")),
        (
            "Step 1: a\nCorrectness: correct\nExplanation: b\nConclusion: correct",
            1,
            (["right"], True, None),
        ),
        (
            "Step 1: a\r\nCorrectness: right\r\nConclusion: The answer is right.\r\n",
            1,
            (["right"], True, None),
        ),
        (
            "Step \u0661\nCorrectness: correct\nStep २: b\nCorrectness: wrong\nConclusion: wrong",
            4,
            (["right", "wrong"], False, None),
        ),
        (
            "Conclusion: correct\nStep 1: a\nCorrectness: wrong\nConclusion: incorrect",
            4,
            (["wrong"], False, None),
        ),
        ("The answer is 36.", 4, ([], None, "it judges no step")),
        ("Conclusion: wrong", 4, ([], False, "it judges no step")),
        ("Step 1: a\nCorrectness: correct", 1, (["right"], None, "it has no verdict")),
        (
            "Step 1: a\nCorrectness: it depends\nConclusion: correct",
            1,
            ([], True, "it judges no step"),
        ),
        (
            "Step 1: a\nCorrectness: wrong\nConclusion: correct",
            1,
            (["wrong"], True, "its verdict contradicts its steps"),
        ),
        (
            "Step 1: the next one is correct\nConclusion: correct",
            1,
            ([], True, "it judges no step"),
        ),
    ],
)
def test_stepwise(text, num_steps, expected):
    assert verdicts_of(text, num_steps, STEPWISE) == expected


def test_all_steps_are_judged_where_the_format_wants_it():
    text = "Step 1\nCorrectness: wrong\nStep 2\nCorrectness: correct\nConclusion: wrong"
    assert verdicts_of(text, 2, EVERY_STEP) == (["wrong", "right"], False, None)
    assert verdicts_of(text, 2, STEPWISE)[2] == "it judges 2 steps of 2"
    assert verdicts_of(text, 3, EVERY_STEP)[2] == "it judges 2 steps of 3"


@pytest.mark.parametrize("config", [LINES, STEPWISE, EVERY_STEP])
@pytest.mark.parametrize(
    "piece",
    [
        *("\n", " ", "*", "*\n", "\u200b", "right ", "step ", "Step 1\n", "Correctness: "),
        *("Conclusion ", "**Step 1** Correctness: correct\n", "Review: right\n", "خطوة \u0661\n"),
        "the answer is ",
    ],
)
def test_a_critique_of_a_hundred_thousand_characters_is_read(piece, config):
    text = (piece * (100_000 // len(piece) + 1))[:100_000]
    assert read_critique(text, 5, config).fault is not None
    leaks_answer(text, "7", text)


def test_no_text_raises_and_no_faultless_reading_contradicts_itself():
    pieces = [
        *("right", "wrong", "missing", "correct", "incorrect", "step", "Step 1", "Step ٢", "step²"),
        *("Correctness:", "Conclusion:", "Review:", "Answer:", "the answer is", "Explanation:"),
        *("\n", "\n\n", "\r", "\x00", "\ufeff", "\u2028", " ", "**", "#", "- ", "`", ":", "{", "}"),
        *("{question}", "\\", "[(", ")]+?", "36", "३६", "é", "😀", "\ud800", "</think>"),
    ]
    draw = random.Random(7)
    read_something = 0
    for _ in range(4000):
        text = "".join(draw.choices(pieces, k=draw.randrange(60)))
        num_steps = draw.randrange(6)
        gold = draw.choice(["36", "", " ", "[(", "\\", "wrong", "3²"])
        leaks_answer(text, gold, "")
        for config in (LINES, STEPWISE, EVERY_STEP):
            read = read_critique(text, num_steps, config)
            read_something += bool(read.steps)
            if read.fault is None:
                verdicts = [step.verdict for step in read.steps]
                assert 1 <= len(verdicts) <= num_steps
                assert read.verdict == ("wrong" not in verdicts)
                assert read.first_error is None or verdicts[read.first_error] == "wrong"
    assert read_something > 1000


@pytest.mark.parametrize(
    ("text", "gold", "known", "leaks"),
    [
        ("it should be 36", "36", ("36 books",), False),
        ("it should be 36", "36", ("what is 360?", "1.36"), True),
        ("it should be 36.", "36", (), True),
        ("it should be 36.5", "36", (), False),
        ("it should be 1.36", "36", (), False),
        ("Step 3: 2 + 2\nCorrectness: wrong", "3", (), False),
        ("Step 3: it is 3", "3", (), True),
        (r"so \frac{1}{2}", r"\frac{1}{2}", (), True),
        ("anything", "", (), False),
        ("anything", "  ", (), False),
    ],
)
def test_leaks(text, gold, known, leaks):
    assert leaks_answer(text, gold, *known) is leaks


def test_faults_are_counted_without_their_numbers():
    assert fault_kind("it judges 3 steps of 12") == "it judges N steps of N"
    assert fault_kind("it has no verdict") == "it has no verdict"
