"""Errors by rule: what each kind makes of a step, and where it does not apply."""

import random
from collections import Counter

import pytest

from schemas.error_paths import RULE_KINDS
from tasks.error_paths.rules import RULES, find_edits, place_error

QUESTION = "Ana has 34 books, then 8 more. Hugo takes 3 boxes of 4."
STEPS = ["34 + 8 = 42\n", "3 * 4 = 12\n", "42 - 12 = 30\n", "Answer: 30"]
GSM8K = [
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n",
    "In total she sold 48+24 = <<48+24=72>>72 clips.\n",
    "#### 72",
]
MISCOPIED = {"4 * 4 = 16\n", "2 * 4 = 8\n", "3 * 5 = 15\n", "3 * 3 = 9\n"}
EARLIER = {"5 - 1 = 4\n", "2 - 1 = 1\n", "7 - 5 = 2\n", "7 - 2 = 5\n"}
HALVES = {"5 / 4 = 1.25\n", "4 / 2 = 2\n", "6 / 2 = 3\n"}  # 5 / 6 has no end
SLIPS = {f"Natalia sold 48/2 = <<48/2={n}>>{n} clips in May.\n" for n in (25, 23, 34, 14)}
HOUSE = ["In all that is $<<80000+500=80500>>80,500.\n", "80500"]
OFF = (80501, 80499, 80510, 80490)
HOURS = {f"He drives 8-.5={n} hours\n" for n in ("7.6", "7.4", "8.5", "6.5")}
LATEX = ["First, $6 \\times 1,200 = 7,200$.\n", "Then $\\$7,200 - \\$50 = \\$7,150$.\n", "7150"]


def texts(kind, steps, place, question=QUESTION):
    return {edit.text for edit in find_edits(kind, steps, place, question)}


@pytest.mark.parametrize(
    ("kind", "steps", "place", "expected"),
    [
        ("arithmetic", STEPS, 1, {f"3 * 4 = {n}\n" for n in (13, 11, 22, 2)}),
        ("operator", STEPS, 1, {"3 + 4 = 7\n"}),
        ("operator", STEPS, 0, {"34 * 8 = 272\n"}),
        ("operator", STEPS, 2, set()),  # 42 / 12 has no whole result
        ("sign", STEPS, 0, {"34 - 8 = 26\n"}),
        ("sign", STEPS, 2, {"42 + 12 = 54\n"}),
        ("sign", STEPS, 1, set()),
        ("miscopied", STEPS, 1, MISCOPIED),
        ("miscopied", STEPS, 3, {"Answer: 31", "Answer: 29"}),
        ("earlier_number", STEPS, 0, set()),  # nothing stands before it
        ("earlier_number", ["5 + 2 = 7\n", "7 - 1 = 6\n"], 1, EARLIER),
        ("earlier_number", ["2 + 4 = 6\n", "5 / 2 = 2.5\n"], 1, HALVES),
        ("left_out", STEPS, 1, {"42 - 3 = 39\n"}),
        ("left_out", STEPS, 2, set()),  # the next one is no calculation
        ("arithmetic", GSM8K, 0, SLIPS),
        ("operator", GSM8K, 0, {"Natalia sold 48-2 = <<48-2=46>>46 clips in May.\n"}),
        ("left_out", GSM8K, 0, {"In total she sold 48+48 = <<48+48=96>>96 clips.\n"}),
        ("sign", HOUSE, 0, {"In all that is $<<80000-500=79500>>79,500.\n"}),
        ("arithmetic", HOUSE, 0, {f"In all that is $<<80000+500={n}>>{n:,}.\n" for n in OFF}),
        ("miscopied", ["He drives 8-.5=7.5 hours\n", "7.5"], 0, set()),  # its result would stay
        ("arithmetic", ["He drives 8-.5=7.5 hours\n", "7.5"], 0, HOURS),
        ("operator", LATEX, 0, {"First, $6 + 1,200 = 1,206$.\n"}),
        ("sign", LATEX, 1, {"Then $\\$7,200 + \\$50 = \\$7,250$.\n"}),
    ],
)
def test_a_rule_makes_its_error_wherever_the_text_allows_it(kind, steps, place, expected):
    assert texts(kind, steps, place) == expected


@pytest.mark.parametrize("kind", RULE_KINDS)
@pytest.mark.parametrize(
    "step",
    [
        "So she has more than before.\n",
        "Step 2: then\n",
        "x = y, so x2 = y2\n",
        "1,2,3 and 2.5.1\n",
        "3 + 4 + 5 = 12\n",  # the sum of its last two numbers is not the result
        "\n",
    ],
)
def test_a_text_without_a_calculation_or_a_known_number_gets_no_error_of_numbers(kind, step):
    found = texts(kind, ["Look.\n", step, "Then.\n"], 1, "How many are there?")
    if kind == "arithmetic" and "= 12" in step:
        assert found == {f"3 + 4 + 5 = {n}\n" for n in (13, 11, 22, 2)}
    else:
        assert found == set()


def test_what_is_right_in_another_way_is_no_error():
    assert texts("operator", ["2 * 2 = 4\n", "Answer: 4"], 0) == set()
    assert texts("sign", ["3 + 8 = 11\n", "Answer: 11"], 0) == set()  # would be below zero
    assert texts("earlier_number", ["7 - 1 = 6\n", "7 + 6 = 13\n"], 1) == {
        "1 + 6 = 7\n",
        "7 + 1 = 8\n",
    }


def test_a_wrong_calculation_is_left_as_it_is_but_for_its_result():
    steps = ["3 * 4 = 13\n", "Answer: 13"]
    made = {kind: texts(kind, steps, 0) for kind in RULES}
    assert made.pop("arithmetic") == {f"3 * 4 = {n}\n" for n in (14, 12, 23, 3)}
    assert set().union(*made.values()) == set()


def test_the_content_of_an_error_is_told():
    (left_out,) = find_edits("left_out", STEPS, 1, QUESTION)
    assert (left_out.content, left_out.num_steps) == ("the step with 3 * 4 is left out", 2)
    told = {edit.text: edit.content for edit in find_edits("miscopied", STEPS, 0, QUESTION)}
    assert told["43 + 8 = 51\n"] == "43 is written instead of 34"
    (sign,) = find_edits("sign", STEPS, 2, QUESTION)
    assert sign.content == "42 + 12: it is added, where 42 - 12 is right"


def test_kinds_are_drawn_evenly_among_those_that_fit_somewhere():
    rng = random.Random(0)
    kinds = ("arithmetic", "operator", "sign")
    drawn = [place_error(STEPS, range(3), QUESTION, kinds, rng) for _ in range(900)]
    counts = Counter(each.kind for each in drawn if each is not None)
    assert set(counts) == set(kinds)
    assert all(240 < count < 360 for count in counts.values())  # 4 standard errors of 300
    places = {(each.kind, each.place) for each in drawn if each is not None}
    assert ("sign", 1) not in places
    assert {("sign", 0), ("sign", 2), ("operator", 1)} <= places


def test_no_error_is_made_where_no_kind_fits():
    steps = ["It grows.\n", "So it is big."]
    assert place_error(steps, range(1), "Why?", RULE_KINDS, random.Random(0)) is None
    assert place_error(STEPS, (), QUESTION, RULE_KINDS, random.Random(0)) is None
