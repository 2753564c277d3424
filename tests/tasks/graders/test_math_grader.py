import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from schemas.graders import MathGraderConfig
from schemas.rows import Problem
from tasks.graders import Grade, Grader, gold_from_solution, make_grader
from tasks.graders.math_grader import MathGrader


def asks(answer: str, check: str | None = None) -> Problem:
    """A problem with this gold answer."""
    return Problem(
        problem_id="p", source="test", split="dev", question="?", answer=answer, check=check
    )


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    # More time than the default: these verdicts must not depend on how busy the machine is.
    grader = make_grader(MathGraderConfig(timeout_s=10))
    yield grader
    grader.close()


@pytest.fixture(scope="module")
def limited_grader() -> Iterator[Grader]:
    grader = make_grader(MathGraderConfig())
    yield grader
    grader.close()


EQUAL = [
    (r"\sqrt{50}", r"5\sqrt{2}"),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
    (r"\frac{\pi}{6}", r"\pi/6"),
    (r"2\pi", "6.283185"),
    (r"2^{10}", "1024"),
    (r"\binom{5}{2}", "10"),
    (r"\log_2 8", "3"),
    (r"5!", "120"),
    ("x^2-1", "(x-1)(x+1)"),
    ("x^2+2x+1", "x^2 + 2*x + 1"),
    (r"\frac{11+9a}{20}", r"\frac{9a+11}{20}"),
    ("0.5x", r"\frac{x}{2}"),
    (r"\pi r^2", r"r^2 \pi"),
    (r"\cot x", r"\frac{\cos x}{\sin x}"),
    ("6-5i", "-5i+6"),
    ("(1,2)", r"\left( 1, 2 \right)"),
    (r"(\frac12, 3)", "(0.5,3)"),
    ("1,2,3", "3, 2, 1"),
    (r"\{1,2,3\}", r"\{3,2,1\}"),
    (r"5, 3", r"3 \text{ and } 5"),
    (r"1 \pm \sqrt{19}", r"1+\sqrt{19}, 1-\sqrt{19}"),
    ("x = 5", "5"),
    ("y = 2x+3", "2x - y + 3 = 0"),
    ("x^2+18x+86=0", "86+18x+x^2=0"),
    ("2x^2+2=0", "x^2+1=0"),
    ("xy=1", "y=1/x"),
    ("-2 \\le x \\le 7", "[-2,7]"),
    (r"x \in [-2,7]", "[-2,7]"),
    (r"(-\infty,2)\cup(3,\infty)", r"(3,\infty) \cup (-\infty,2)"),
    (
        r"\begin{pmatrix} 1/3 \\ 2 \end{pmatrix}",
        r"\begin{bmatrix} \frac13 \\ 2 \end{bmatrix}",
    ),
    (r"3\sqrt{2}\text{ cm}", r"3\sqrt{2}"),
    (r"\text{Evelyn}", "evelyn"),
    (r"\text{(C)}", "C"),
    (r"90^\circ", "90 degrees"),
    (r"1\frac{4}{5}", "1.8"),
    (r"10\%", "0.1"),
    (r"3 \times 10^{5}", "300,000"),
]

UNEQUAL = [
    (r"1-\frac{1}{e}", r"1+\frac{1}{e}"),
    ("1-1/e", "1+1/e"),
    ("0.0000001", r"\frac{\pi}{10^7}"),
    ("1e-7", "2e-7"),
    (r"\frac{\pi}{10^8}", "0"),
    ("3.14", r"\pi"),
    (r"10\%", "10"),
    (r"12.5\pi\%", r"12.5\pi"),
    ("(1,2)", "(2,1)"),
    ("(1,2)", "[1,2]"),
    ("(3,4]", "[3,4]"),
    (r"(0,9)\cup(9,36)", "(0,36)"),
    (r"\sqrt{67},-\sqrt{85}", r"\sqrt{67}"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}2\\1\end{pmatrix}"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ("x = 5", "y = 5"),
    ("y = 2x", "y = -2x"),
    ("x+1", "y+1"),
    ("x^2", "x^3"),
    ("2k", "2n"),
    (r"\sqrt{x^2}", "x"),
    ("6-5i", "6+5i"),
    (r"\infty", r"-\infty"),
    (r"\frac{1+\sqrt5}{2}", r"\frac{1-\sqrt5}{2}"),
    ("52_8", "52_9"),
    (r"\text{east}", r"\text{west}"),
    ("A", "B"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal_answers_are_the_same_in_either_order(grader, a, b):
    assert grader.same(a, b) is True
    assert grader.same(b, a) is True


@pytest.mark.parametrize(("a", "b"), UNEQUAL)
def test_unequal_answers_differ_in_either_order(grader, a, b):
    assert grader.same(a, b) is False
    assert grader.same(b, a) is False


@pytest.mark.parametrize(
    ("text", "gold", "grade"),
    [
        ("12 - 7 = 5\nAnswer: 5", "5", Grade("5", True)),
        ("12 - 7 = 5\nAnswer: 5", "6", Grade("5", False)),
        (r"\boxed{\frac{2}{4}}", r"\frac12", Grade(r"\frac{2}{4}", True)),
        (r"\boxed{2\sqrt2}", r"\sqrt8", Grade(r"2\sqrt2", True)),
        (r"\boxed{2\sqrt2", r"\sqrt8", Grade(None, False)),
        ("no answer at all", "5", Grade(None, False)),
        (r"\boxed{5 \frac{}{}}", "x", Grade(r"5 \frac{}{}", False)),  # not mathematics: wrong
        (r"\boxed{5}", r"\frac{1}{", Grade("5", None)),  # gold is not mathematics: ungraded
        (r"\boxed{\frac 1{}}", r"\frac 1{}", Grade(r"\frac 1{}", True)),
    ],
)
def test_grades(grader, text, gold, grade):
    assert grader.grade(text, asks(gold)) == grade


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("18", None),
        (r"\text{Evelyn}", None),
        (r"x \in [-2,7]", None),
        ("", "expected a gold answer, got ''"),
        (r"\frac{1}{", "parses as mathematics, got"),
        ("1" * 2000, "at most 1000 characters, got 2000"),
    ],
)
def test_unusable_gold_answers_are_named(grader, gold, message):
    found = grader.check_gold(asks(gold))
    assert found is None if message is None else message in found


def test_classes_group_equal_answers_in_first_seen_order(grader):
    answers = ["0.5", None, r"\sqrt{4}", "1/2", "2", "x+1", "1+x", "7", r"\frac{", r"\frac{", "$7"]
    assert grader.classes(answers) == [0, None, 1, 0, 1, 2, 2, 3, 4, 4, 3]
    assert grader.classes([]) == []
    assert grader.classes([None, None]) == [None, None]


def test_classes_of_many_numbers_take_no_algebra():
    grader = MathGrader(MathGraderConfig())
    answers = [str(i % 500) for i in range(5000)]
    assert grader.classes(answers) == [i % 500 for i in range(5000)]
    assert grader._pool.process_ids == []


def test_plain_numbers_start_no_process_and_load_no_library():
    source = """
import sys
from schemas.graders import MathGraderConfig
from schemas.rows import Problem
from tasks.graders import make_grader

def asks(answer):
    return Problem(problem_id="p", source="test", split="dev", question="?", answer=answer)
grader = make_grader(MathGraderConfig())
assert grader.grade("Answer: 1,250", asks("1250")).correct
assert grader.grade(r"\\boxed{\\frac12}", asks("0.5")).correct
assert not grader._pool.process_ids
print([name for name in ("math_verify", "sympy", "torch", "ray") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "[]\n"


def test_options_change_the_verdict_and_the_name():
    strict = make_grader(MathGraderConfig())
    lenient = make_grader(MathGraderConfig(percent="ignored", last_number=True))
    assert strict.same("10%", "10") is False
    assert lenient.same("10%", "10") is True
    assert lenient.same("10%", "0.1") is False
    assert strict.grade("so 4 + 5 = 9", asks("9")) == Grade(None, False)
    assert lenient.grade("so 4 + 5 = 9", asks("9")) == Grade("9", True)
    assert lenient.name == strict.name + "+percent-ignored+last-number"


def test_grades_from_many_threads(grader):
    def grade(index: int) -> bool | None:
        assert threading.current_thread() is not threading.main_thread()
        return grader.grade(rf"\boxed{{{index} + \sqrt{{4}}}}", asks(str(index + 2))).correct

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(grade, range(40))) == [True] * 40


HOSTILE = [
    "9^{9^{9^9}}",
    "9^9^9^9",
    "9!!!!",
    "10^{10^{10}}",
    r"\binom{10^9}{10^8}",
    r"\sum_{i=1}^{10^9} \frac1i",
    r"x^{1000000}+1 = (x+1)^{1000}",
    "(" * 400 + "1" + ")" * 400,
    r"\frac{1}{" * 90 + "2" + "}" * 90,
    r"\frac{1}{" * 9000 + "2" + "}" * 9000,
    "{" * 500_000 + "}" * 500_000,
    "9" * 100_000,
    "1e99999999",
    "\\begin{pmatrix}" * 50,
]


def family_processor_s():
    """Processor seconds so far of this process and all its descendants, including ended ones."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


@pytest.mark.parametrize("answer", HOSTILE, ids=lambda answer: answer[:20])
def test_hostile_answers_cost_seconds_and_are_never_right(limited_grader, answer):
    before = family_processor_s()
    grade = limited_grader.grade(rf"\boxed{{{answer}}}", asks("x+5"))
    assert family_processor_s() - before < 10
    assert grade.answer == answer
    assert grade.correct is not True
    assert limited_grader.same(answer, r"\sqrt{9}") is not True
    assert limited_grader.same(r"\sqrt{9}", "3") is True


def test_an_answer_that_hits_the_limit_is_ungraded_and_alone_in_its_class():
    grader = make_grader(MathGraderConfig(timeout_s=0.5))
    assert grader.grade(r"\boxed{9!!!!}", asks("x+5")) == Grade("9!!!!", None)
    assert "more than 0.5 s" in (grader.check_gold(asks("9!!!!")) or "")
    assert grader.classes(["9!!!!", r"\sqrt{4}", "2", "9!!!!"]) == [0, 1, 1, 0]
    grader.close()


def test_gold_against_gold_on_math_500(grader, shared_data):
    rows = _rows(shared_data / "math500.jsonl")
    assert len(rows) == 500
    for row in rows:
        gold = row["answer"]
        assert gold_from_solution(row["solution"]) == gold
        assert grader.grade(row["solution"], asks(gold)) == Grade(gold, True)
        assert grader.same(gold, gold) is True
        assert grader.check_gold(asks(gold)) is None, gold  # each parses, and the spellings differ


@pytest.mark.parametrize(("file", "num_rows"), [("gsm8k_test", 1319), ("gsm8k_train", 7473)])
def test_gold_against_gold_on_gsm8k(grader, shared_data, file, num_rows):
    rows = _rows(shared_data / f"{file}.jsonl")
    assert len(rows) == num_rows
    for row in rows:
        gold = gold_from_solution(row["answer"])
        assert gold is not None
        assert grader.grade(row["answer"], asks(gold)) == Grade(gold, True)
        assert grader.same(gold, gold) is True
        assert grader.check_gold(asks(gold)) is None


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
