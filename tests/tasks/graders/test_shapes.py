import pytest

from tasks.graders.normal_form import Kind, normal_form
from tasks.graders.shapes import Shape, by_name, read_shape, split_parts
from tasks.graders.spelling import tidy
from tasks.graders.units import split_unit


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        ("(1, 2)", Shape("()", ("1", "2"))),
        ("(1,000,2)", Shape("()", ("1", "000", "2"))),
        ("1,234 and 5", Shape("", ("1,234", "5"))),
        (r"\{3, 1\}", Shape("{}", ("3", "1"))),
        ("{3, 1}", Shape("{}", ("3", "1"))),
        ("x=1 or x=2", Shape("", ("1", "2"), ("x",))),
        ("x=1, 2", Shape("", ("1", "2"), ("x",))),
        ("x=1, y=2", Shape("", ("1", "2"), ("x", "y"))),
        (r"1 \pm \sqrt{2}", Shape("", (r"1+\sqrt{2}", r"1-\sqrt{2}"))),
        (r"x=\pm 3", Shape("", ("3", "-3"), ("x",))),
        (r"\pm 1 \mp 2", Shape("", ("1-2", "-1+2"))),
        ("x<2", Shape("()", (r"-\infty", "2"), ("x",))),
        (r"3 \ge x > -1", Shape("(]", ("-1", "3"), ("x",))),
        (r"x \in [-1, 2)", Shape("[)", ("-1", "2"), ("x",))),
        (r"\{x \mid -2 \leq x < 1\}", Shape("[)", ("-2", "1"))),
        (r"x<1 \text{ or } x>2", Shape("or", (r"(-\infty,1)", r"(2,\infty)"), ("x",))),
        (r"x \neq \pm 5", Shape("!=", ("5", "-5"), ("x",))),
        (r"\{x | x \neq 1, x \neq 2\}", Shape("!=", ("1", "2"))),
        ("x<2:(-\\infty,2)", Shape("()", (r"-\infty", "2"))),
        ("(x,y)=(7,8)", Shape("()", ("7", "8"))),
        ("(1)(3)", Shape("{}", ("1", "3"))),
        ("(x+1)(x-1)", None),
        ("2x+1=0", None),
        ("a<b", None),
        ("x=y=2", None),
        ("f(1,2)", None),
        (r"\frac{1}{2}", None),
    ],
)
def test_answers_are_taken_apart(answer, shape):
    assert read_shape(tidy(answer)) == shape


def test_named_values_stand_in_the_order_of_their_names():
    assert by_name(Shape("", ("3", "2"), ("y", "x"))).items == ("2", "3")
    assert by_name(Shape("", ("3", "2"), ("x_{10}", "x_2"))).items == ("2", "3")
    untouched = Shape("", ("3", "2"), (r"\theta", "r"))
    assert by_name(untouched) == untouched


def test_brackets_that_do_not_match_are_not_split():
    assert split_parts("(1,2") == ["(1,2"]
    assert split_parts("1,2)") == ["1,2)"]
    assert split_parts(r"[0,1),\{2,3\}") == ["[0,1)", r"\{2,3\}"]


@pytest.mark.parametrize(
    ("latex", "split"),
    [
        ("18 apples", ("18", 1)),
        ("5 m/s", ("5", 1)),
        ("20 cm^2", ("20", 1)),
        ("20cm", ("20", 1)),
        ("25^\\circ C", ("25", 1)),
        (r"3\sqrt{2}\text{ cm}", (r"3\sqrt{2}", 1)),
        (r"5\text{m}/\text{s}", ("5", 1)),
        (r"\frac{3}{4}cups", (r"\frac{3}{4}", 1)),
        ("51(trucks)", ("51", 1)),
        ("3/4 of a cup", ("3/4", 1)),
        ("2 million dollars", ("2", 10**6)),
        ("5万", ("5", 10**4)),
        ("10元", ("10", 1)),
        ("5t", None),
        ("5 m", None),
        ("2mg", None),
        ("3 abc", None),
        ("3 xyz", None),
        ("5 or more", None),
        ("5 to seven", None),
        (r"3\text{x}", None),
        (r"9\text{ am}", None),
        ("2 sin", None),
        (r"2\sin", None),
        ("5(x)", None),
        ("10之间", None),
    ],
)
def test_a_unit_is_not_a_variable(latex, split):
    assert split_unit(latex) == split


@pytest.mark.parametrize(
    ("answer", "latex"),
    [
        (r"\frac a b", r"\frac{a}{b}"),
        (r"\frac\pi2", r"\frac{\pi}{2}"),
        (r"\frac{\sqrt3}2", r"\frac{\sqrt{3}}{2}"),
        (r"\frac123", r"\frac123"),
        (r"\sqrt 10", r"\sqrt{10}"),
        (r"\sqrt12", r"\sqrt{12}"),
        (r"2√(x+1)", r"2\sqrt{x+1}"),
        (r"\sqrt[3]2", r"\sqrt[3]{2}"),
        (r"\sqrt\frac12", r"\sqrt{\frac{1}{2}}"),
        ("2^(n+1)", "2^{n+1}"),
        ("x²³", "x^{23}"),
        ("1½", r"1\frac{1}{2}"),
        (r"4-\mathrm{i}", "4-i"),
        (r"x \leqslant 3", r"x\le 3"),
        (r"\mathbf{v} \cdot \mathbf{e}_1", r"v\cdot\text{e}_1"),
    ],
)
def test_one_spelling(answer, latex):
    assert tidy(answer) == latex


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("E: a long risk score", Kind.LETTER),
        (r"\textbf{(C)}\ 15", Kind.LETTER),
        (r"\text{The answer is 460}", Kind.NUMBER),
        (r"0.\overline{60}", Kind.NUMBER),
        ("11:45 p.m.", Kind.WORDS),
        ("Vendor 2", Kind.WORDS),
        ("The rocket reaches a height of 500 feet.", Kind.PROSE),
        ("12 adults, 30 children", Kind.EXPRESSION),
        ("5 or more", Kind.EXPRESSION),
    ],
)
def test_kinds(answer, kind):
    assert normal_form(answer).kind is kind
