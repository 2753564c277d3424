"""Rows that are left out before anything is written, and that they are counted."""

import random

import pytest

from schemas.dataset_export import ChecksConfig
from tasks.dataset_export.checks import Checker, _Distinct
from tasks.dataset_export.solved import Solution, SolvedProblem

WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
]


def problem(question="What is 2 + 2?", gold="4", texts=("2 + 2 = 4\nAnswer: 4",), correct=True):
    solutions = [
        Solution(f"t{i}", text.splitlines(keepends=True), correct, gold, None)
        for i, text in enumerate(texts)
    ]
    return SolvedProblem("p", "test", question, gold, 1, solutions)


def check(given, *, tests=(), template="{q}\n", **config):
    checker = Checker(
        ChecksConfig(**config),
        test_questions=tests,
        build_prompt=lambda q: template.replace("{q}", q),
    )
    clean = checker.clean(given)
    texts = None if clean is None else [solution.text for solution in clean.solutions]
    return texts, dict(checker.problems), dict(checker.solutions)


def test_a_clean_problem_stays_as_it_is():
    assert check(problem()) == (["2 + 2 = 4\nAnswer: 4"], {}, {})


def test_a_test_question_is_found_whatever_its_case_and_punctuation():
    texts, problems, _ = check(problem("What is 2 + 2?"), tests=["what is  2+2"])
    assert (texts, problems) == (None, {"test_question": 1})
    assert check(problem("What is 2 + 3?"), tests=["what is 2+2"])[0] is not None


@pytest.mark.parametrize(
    ("question", "test"),
    [
        ("What is 7 - 3?", "What is 7 + 3?"),
        ("What is 7 * 3?", "What is 7 / 3?"),
        ("What is 7 \\times 3?", "What is 7 \\div 3?"),
        ("What is -7 + 3?", "What is 7 + 3?"),
        ("What is x^2 for x = 3?", "What is x 2 for x = 3?"),
        ("What is (2 + 3) * 4?", "What is 2 + 3 * 4?"),
        ("Is 3 < 4?", "Is 3 > 4?"),
        ("What is 1.5 + 2?", "What is 15 + 2?"),
        ("What is .5 + 2?", "What is 5 + 2?"),
        ("What is 5! / 3?", "What is 5 / 3?"),
        ("What is 7 % of 300?", "What is 7 of 300?"),
        ("Compute a - b for a=3, b=1.", "Compute a b for a 3 b 1."),
    ],
)
def test_questions_with_other_operators_are_other_questions(question, test):
    assert check(problem(question, gold="99"), tests=[test]) == (
        ["2 + 2 = 4\nAnswer: 4"],
        {},
        {},
    )
    assert check(problem(question, gold="99"), tests=[question])[1] == {"test_question": 1}


@pytest.mark.parametrize(
    ("question", "test"),
    [
        ("What is 7 \N{MINUS SIGN} 3?", "what is 7-3"),
        ("What is 7 \N{MULTIPLICATION SIGN} 3?", "What is $7 \\times 3$ ?"),
        ("Tom, a well-known baker, has 1,000 rolls.", "Tom a well known baker has 1000 rolls"),
        ("Find x^{2} (in metres)!", "find x^2 in metres"),
        ("A 5-year-old - the smallest - counts.", "A 5 year old, the smallest, counts"),
    ],
)
def test_ways_to_write_the_same_question_are_the_same(question, test):
    assert check(problem(question, gold="99"), tests=[test])[1] == {"test_question": 1}


@pytest.mark.parametrize(
    ("max_overlap", "is_left_out"), [(0.5, True), (0.51, False), (None, False)]
)
def test_shared_pieces_count_by_their_share(max_overlap, is_left_out):
    """Two of the four pieces of three words are in a test question."""
    given = problem("one two three four five six")
    texts, problems, _ = check(
        given, tests=["zero one two three four"], ngram=3, max_overlap=max_overlap
    )
    assert problems == ({"test_overlap": 1} if is_left_out else {})
    assert (texts is None) == is_left_out


def test_a_question_shorter_than_a_piece_is_a_piece():
    tests = [" ".join(WORDS)]
    assert check(problem("one two three"), tests=tests, ngram=13)[1] == {}
    assert check(problem(" ".join(WORDS[:13])), tests=tests, ngram=13)[1] == {"test_overlap": 1}


@pytest.mark.parametrize("question", ["What is 2 + 2? Answer: 4", r"Sum? \boxed{4}", "Sum? #### 4"])
def test_a_question_that_marks_its_answer_leaks(question):
    assert check(problem(question))[1] == {"answer_leak": 1}
    assert check(problem(question), leakage="off")[1] == {}


def test_a_template_leaks_only_the_answer_it_marks():
    template = "Q: 3 + 1? Answer: 4\n\nQ: {q} "
    assert check(problem(), template=template)[1] == {"answer_leak": 1}
    assert check(problem(gold="5"), template=template)[1] == {}
    assert check(problem(), template="There are 4 rules. {q}\nAnswer:")[1] == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("so it is\nso it is\nso it is\nAnswer: 4", "repeated_steps"),
        ("so it is\nso it is\nAnswer: 4", None),
        ("x\nAnswer: 4", "short_steps"),
        ("", "few_steps"),
    ],
)
def test_bad_steps_leave_a_solution_out(text, reason):
    texts, _, solutions = check(problem(texts=[text]))
    assert solutions == ({reason: 1} if reason else {})
    assert texts == ([] if reason else [text])


def test_limits_of_steps_can_be_set():
    text = "x\nx\nx\nx"
    assert check(problem(texts=[text]), max_step_repeats=None, min_step_chars=1)[2] == {}
    assert check(problem(), min_steps=3)[2] == {"few_steps": 1}


def test_equal_and_nearly_equal_solutions_are_kept_once():
    """Twenty words have 18 pieces of three; another last word shares 17 of 19."""
    words = [*WORDS, "a1", "a2", "a3", "a4", "a5", "a6"]
    text, near = " ".join(words), " ".join([*words[:-1], "other"])
    given = problem(texts=[text, f"{text} ", near])
    assert check(given, near_duplicate=17 / 19)[2] == {"equal_text": 1, "near_duplicate": 1}
    assert check(given, near_duplicate=17 / 19 + 1e-6)[2] == {"equal_text": 1}
    assert check(given, near_duplicate=None)[0] == [text, near]
    assert check(given, duplicates="keep")[0] == [text, f"{text} ", near]


def test_solutions_of_another_grade_are_no_duplicates():
    right, wrong = problem().solutions[0], problem(correct=False).solutions[0]
    both = problem()._replace(solutions=[right, wrong])
    assert len(check(both)[0] or []) == 2


def test_the_filter_before_the_comparison_misses_no_near_duplicate():
    rng = random.Random(1)
    for threshold in (0.3, 0.5, 0.8, 1.0):
        distinct, kept = _Distinct(threshold), []
        for _ in range(150):
            words = [rng.choice("abc") for _ in range(rng.randrange(1, 9))]
            pieces = {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}
            alike = [len(p & pieces) / len(p | pieces) >= threshold for p, _ in kept]
            reason = distinct.add(" ".join(words))
            if reason != "equal_text":
                assert (reason == "near_duplicate") == any(alike)
                if reason is None:
                    kept.append((pieces, words))
