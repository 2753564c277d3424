import pytest
from pydantic import ValidationError

from schemas.graders import ExactGraderConfig, MathGraderConfig
from tasks.graders import extract_answer, make_grader
from tasks.graders.boxes import last_boxed
from tasks.graders.extraction import without_thoughts


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("no thought", "no thought"),
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("<think>a", ""),
        ("a<think>b", "a"),
        ("<think>a</think>b<think>c</think>d", "d"),
        ("<think>a</think>b<think>c", "b"),
        ("[THINK]a[/THINK]b", "b"),
        ("<|begin_of_thought|>a<|end_of_thought|>b", "b"),
        ("1 < 2 and [3]", "1 < 2 and [3]"),
    ],
)
def test_thoughts_are_left_out(text, outside):
    assert without_thoughts(text) == outside


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"$\boxed 2$.", "2"),
        (r"\boxed2", "2"),
        (r"\boxed -1,500 m", "-1,500"),
        (r"$\boxed \frac{1}{2}$ of it", r"\frac{1}{2}"),
        (r"\fbox{5}", "5"),
        (r"\boxed and done", None),
        (r"$\boxed{3}$, $\boxed{5}$ or $\boxed{7}$", "3, 5, 7"),
        (r"$x=\boxed{3}$ and $y=\boxed{5}$", "x=3, y=5"),
        (r"$x=\boxed{3}$ or $x=\boxed{5}$", "3, 5"),
        (r"\begin{align} a &= \boxed{1} \\ b &= \boxed{2} \end{align}", "a=1, b=2"),
        (r"\boxed{3} $\boxed{3}$", "3"),
        (r"$\boxed{15\frac{39}{40}},$ or $\boxed{\frac{639}{40}}$", r"\frac{639}{40}"),
        ("\\boxed{3}\n\\boxed{5}", "5"),
        (r"first \boxed{3}, but then it is \boxed{5}", "5"),
        (r"\boxed{a \boxed{5}} \boxed{", "5"),
    ],
)
def test_the_last_box_and_those_beside_it(text, content):
    assert last_boxed(text) == content


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer:\n\\[\n18\n\\]", "18"),
        ("Answer:\n\\begin{align*}\nx &= 5\n\\end{align*}", "x = 5"),
        ("The answer is $$\\frac12$$ of it.", r"\frac12"),
        ("Answer:\n$$\n18", None),
        ("### Final Answer\n\n18 apples", "18 apples"),
        ("**Answer**\n18", "18"),
        ("The answer is therefore 42.", "42"),
        ("The answer is: thus, $x=4$, since 2 + 2 = 4.", "$x=4$"),
        ("The answer is 12 (since 3*4 = 12).", "12"),
        ("Answer: 51 (trucks)", "51 (trucks)"),
        ("Answer: 2(x+1)", "2(x+1)"),
        ("The answer is $5!$.", "$5!$"),
        ("The answer is 42!", "42"),
        ("It ends at: the answer is 11:45 p.m. on Monday.", "11:45 p.m. on Monday"),
        ("Answer: 42\n\n#### Explanation\nWe add.", "42"),
        ("Answer: 42\nThis answer is correct.", "42"),
        ("#### East", "East"),
        ("Answer: 42\nAnswer: East", "East"),
        ("Answer: 42\nThe answer is", "42"),
        ("<answer>\n42\n</answer>", "42"),
        ("ans: 42", "42"),
        ("the beans: 42", None),
        ("The correct option is (C).", "(C)"),
        ("答案\uff1a13", "13"),
        ("所以答案是 25。", "25"),
        ("故选\uff1aB", "B"),
    ],
)
def test_what_follows_a_mark(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "marks", "answer"),
    [
        ("3 + 15 = 18\nA: 18", ["A:"], "18"),
        ("A: 17, no.\nA: 18.", ["A:"], "18"),
        ("DNA: 17", ["A:"], None),
        ("\\boxed{17} A: 18", ["A:"], "18"),
        ("\\boxed{17}", ["A:"], "17"),
        ("Result -> 18 B: 3", ["Result ->", "Total ="], "18 B: 3"),
        ("RESULT=18;", r"RESULT=(\d+)", "18"),
        ("x is 17. x is 18.", r"\bx is", "18"),
        ("<think>A: 17</think>", ["A:"], None),
    ],
)
def test_marks_of_the_callers_own_come_first(text, marks, answer):
    assert extract_answer(text, marks=marks) == answer


def test_marks_of_a_config_change_the_name_and_the_verdict(make_problem):
    problem = make_problem(answer="18")
    plain = make_grader(MathGraderConfig())
    marked = make_grader(MathGraderConfig(marks=("A:",)))
    assert plain.grade("A: 18", problem).correct is False
    assert marked.grade("A: 18", problem).correct is True
    assert marked.name.startswith(plain.name + "+marks-")
    other = make_grader(MathGraderConfig(marks="A:"))
    assert other.name not in (marked.name, plain.name)
    exact = make_grader(ExactGraderConfig(marks=("A:",)))
    assert exact.grade("A: 18", problem).correct is True


def test_marks_enter_the_hash_only_where_they_are_used():
    without = MathGraderConfig.from_partial({"type": "math"})
    assert "marks" not in without.identity()
    assert MathGraderConfig(marks=("A:",)).config_hash() != without.config_hash()


@pytest.mark.parametrize("marks", ["(", "", ("A:", "")])
def test_marks_that_cannot_be_searched_for_are_refused(marks):
    with pytest.raises(ValidationError, match="expected"):
        MathGraderConfig(marks=marks)
