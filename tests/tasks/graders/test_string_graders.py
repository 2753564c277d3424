import pytest

from schemas.graders import ExactGraderConfig, MathGraderConfig, PlantedGraderConfig
from schemas.rows import Problem
from tasks.graders import GRADERS, Grade, Grader, has_votes, make_grader


def asks(answer: str, check: str | None = None) -> Problem:
    """A problem with this gold answer."""
    return Problem(
        problem_id="p", source="test", split="dev", question="?", answer=answer, check=check
    )


@pytest.mark.parametrize(
    ("text", "gold", "grade"),
    [
        ("Answer: north  east", "north east", Grade("north  east", True)),
        ("Answer: north east.", "north east", Grade("north east", True)),
        ("Answer: 1/2", "0.5", Grade("1/2", False)),
        ("Answer: East", "east", Grade("East", False)),
        (r"\boxed{ﬁve}", "five", Grade("ﬁve", True)),
        ("east", "east", Grade(None, False)),
        ("Answer: east", " ", Grade("east", None)),
    ],
)
def test_exact_grader_compares_normalised_strings(text, gold, grade):
    assert make_grader(ExactGraderConfig()).grade(text, asks(gold)) == grade


def test_exact_grader_can_ignore_case():
    grader = make_grader(ExactGraderConfig(ignore_case=True))
    assert grader.same("East", "east") is True
    assert grader.classes(["East", "west", None, "EAST"]) == [0, 1, None, 0]
    assert grader.name == "exact-2+ignore-case"


@pytest.mark.parametrize(
    ("text", "gold", "correct"),
    [
        ("11 12 13", "11 12 13", True),
        ("11 30 12 30 13 30", "11 12 13", True),
        ("11 13 12", "11 12 13", False),
        ("11 12", "11 12 13", False),
        ("11 12 13", "11 11", False),
        ("111 12", "11 12", False),
        ("11\n12", "", None),
    ],
)
def test_planted_grader_looks_for_an_ordered_subsequence(text, gold, correct):
    grade = make_grader(PlantedGraderConfig()).grade(text, asks(gold))
    assert grade == Grade(" ".join(text.split()), correct)


def test_planted_answer_is_the_whole_text():
    grader = make_grader(PlantedGraderConfig())
    assert grader.grade(" \n", asks("11")) == Grade(None, False)
    assert grader.same("11  12", "11 12\n") is True
    assert grader.classes(["11 12", "12 11", " 11 12", None]) == [0, 1, 0, None]
    assert grader.check_gold(asks("")) == "expected gold symbols, got ''"
    assert grader.check_gold(asks("11")) is None


@pytest.mark.parametrize("config", [MathGraderConfig(), ExactGraderConfig(), PlantedGraderConfig()])
def test_every_config_makes_a_grader(config):
    grader = make_grader(config)
    assert isinstance(grader, Grader)
    assert grader.name


@pytest.mark.parametrize("config", [MathGraderConfig(), ExactGraderConfig(), PlantedGraderConfig()])
@pytest.mark.parametrize("text", ["Answer: 4", "no answer"])
def test_a_grader_of_answers_refuses_a_problem_with_a_check(config, text):
    grader = make_grader(config)
    checked = asks("4", check='{"tests": ["assert f(2) == 4"]}')
    assert grader.check_gold(asks("4")) is None
    assert grader.check_gold(checked) == (
        "expected a problem that is checked by its answer, got one with the check "
        '{"tests": ["assert f(2) == 4"]}'
    )
    assert grader.grade(text, checked).correct is None


def test_every_kind_of_grader_says_whether_its_answers_are_votes():
    assert all(isinstance(grader.comparable, bool) for grader in GRADERS.values())
    assert has_votes(ExactGraderConfig()) is True
