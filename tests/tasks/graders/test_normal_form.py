from fractions import Fraction

import pytest

from tasks.graders.normal_form import Kind, normal_form, same_form


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("18", 18),
        ("-3", -3),
        ("+7", 7),
        ("007", 7),
        ("3.", 3),
        (".5", Fraction(1, 2)),
        ("1.250", Fraction(5, 4)),
        ("1,234,567.5", Fraction(2469135, 2)),
        (r"10,\!080", 10080),
        (r"11,\! 111,\! 111,\! 100", 11111111100),
        (r"10\,080", 10080),
        ("$18", 18),
        (r"\$32,\!348", 32348),
        ("-$5", -5),
        ("€5", 5),
        ("1/2", Fraction(1, 2)),
        (r"\frac{1}{2}", Fraction(1, 2)),
        (r"\dfrac{-1}{2}", Fraction(-1, 2)),
        (r"-\tfrac12", Fraction(-1, 2)),
        (r"\frac 59", Fraction(5, 9)),
        (r"\frac{270}7\text{ degrees}", Fraction(270, 7)),
        (r"1\frac{4}{5}", Fraction(9, 5)),
        ("1 4/5", Fraction(9, 5)),
        ("1e-7", Fraction(1, 10**7)),
        (r"3 \times 10^{5}", 300000),
        (r"5.4 \text{ cents}", Fraction(27, 5)),
        (r"864 \mbox{ inches}^2", 864),
        (r"90^\circ", 90),
        ("90°", 90),
        ("18 apples", 18),
        ("5 km/h", 5),
        ("2 million dollars", 2000000),
        ("10%", Fraction(1, 10)),
        (r"12\frac{1}{2}\%", Fraction(1, 8)),
        ("10 percent", Fraction(1, 10)),
        ("$5$ dollars", 5),
        (r"\(\frac{1}{2}\)", Fraction(1, 2)),
        (r"\text{18}", 18),
        ("−4", -4),  # noqa: RUF001 - the sign as models write it
        ("185\\", 185),
    ],
)
def test_plain_numbers_are_exact(answer, number):
    form = normal_form(answer)
    assert (form.kind, form.number, form.base) == (Kind.NUMBER, number, None)


@pytest.mark.parametrize(
    "answer",
    [
        "3,5",
        "1,23",
        "3 ab",
        "2x",
        "2 pi",
        "5 or more",
        "1/0",
        "1e999",
        "5:30",
        "x=5",
        "3 4",
        "9 am",
    ],
)
def test_what_only_begins_with_a_number_is_an_expression(answer):
    assert normal_form(answer).kind is Kind.EXPRESSION


@pytest.mark.parametrize(
    ("answer", "kind", "latex"),
    [
        (r"\text{Evelyn}", Kind.WORDS, "Evelyn"),
        ("no solution", Kind.WORDS, "no solution"),
        (r"\text{(C)}", Kind.LETTER, "C"),
        ("(C)", Kind.LETTER, "C"),
        (r"\left( \dfrac{3}{2}, -13 \right)", Kind.EXPRESSION, r"(\frac{3}{2},-13)"),
        (r"3\sqrt{2}\text{ cm}", Kind.EXPRESSION, r"3\sqrt{2}"),
        (r"x^{2} + 1", Kind.EXPRESSION, "x^2+1"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", Kind.EXPRESSION, None),
    ],
)
def test_other_answers_lose_their_markup(answer, kind, latex):
    form = normal_form(answer)
    assert form.kind is kind
    assert latex is None or form.latex == latex


def test_line_breaks_of_a_matrix_survive():
    assert r"\\" in normal_form(r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}").latex


def test_percent_sign_can_be_dropped_instead():
    assert normal_form(r"10\%", drop_percent=True).number == 10


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("1e-7", "2e-7", False),
        ("0.333333", "1/3", False),
        ("0.5", "1/2", True),
        ("52_8", "52_{8}", True),
        ("52_8", "52", True),
        ("52_8", "52_9", False),
        (r"\text{East}", "east", True),
        (r"\text{even}", "odd", False),
        ("(A)", r"\textbf{A}", True),
        ("A", "B", False),
        (r"\text{four}", "4", False),
        ("x + 1", "x+1", True),
        ("x + 1", "1 + x", None),
        (r"\sqrt{4}", "2", None),
    ],
)
def test_forms_decide_what_needs_no_algebra(a, b, same):
    assert same_form(normal_form(a), normal_form(b)) is same
    assert same_form(normal_form(b), normal_form(a)) is same


def test_overlong_answers_are_left_unread():
    digits = "9" * 100_000  # beyond the interpreter's limit for converting digits
    form = normal_form(digits)
    assert form.kind is Kind.OVERLONG
    assert same_form(form, form) is True
    assert same_form(form, normal_form("9")) is None
    assert normal_form("9" * 4000, max_chars=4000).number == int("9" * 4000)
