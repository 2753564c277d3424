import pytest

from schemas.graders import EnsembleGraderConfig, judges_in
from schemas.judging import JudgeGraderConfig, ReviewLayoutConfig, RubricLayoutConfig
from schemas.sampling import SamplingJob
from tasks.graders import Grade, make_grader
from tasks.graders.ensemble_grader import combine_grades
from tasks.graders.judge_grader import (
    ask_judge,
    combine_judgements,
    find_reference,
    read_judgement,
)

RUBRIC = JudgeGraderConfig(layout=RubricLayoutConfig())
REVIEW = JudgeGraderConfig()


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("It adds up.\nVerdict: right", True),
        ("**Verdict:** Wrong.", False),
        ("verdict: the solution is incorrect", False),
        ("Verdict: correct, as 2 + 2 = 4", True),
        ("", None),
        ("The solution is right.", None),
        ("Verdict: right\nWait.\nVerdict: wrong", None),
        ("Verdict: right or wrong", None),
        ("Verdict: not right", None),
        ("Verdict: partially correct", None),
        ("Verdict: 正确", None),
        ("Verdict:", None),
        ("结论\uff1a正确", None),
        ("Verdict: right\nVerdict: right", True),
        ("Verdict: right\nVerdict: maybe", None),
    ],
)
def test_a_verdict_is_read_or_null_with_a_reason(text, verdict):
    reading = read_judgement(text, RUBRIC)
    assert reading.verdict is verdict
    assert (reading.fault is None) == (verdict is not None)


def test_reviews_end_with_their_verdict():
    assert read_judgement("Monday: right\nTuesday: wrong\nReview: wrong", REVIEW).verdict is False
    assert read_judgement("Monday: right\nReview: right\n", REVIEW).verdict is True
    assert read_judgement("Monday: right", REVIEW).fault == "it has no verdict"


def test_words_of_another_language_are_the_users():
    layout = RubricLayoutConfig(
        verdict="结论[:\uff1a][ ]*([^\n]*)", right_words=("正确",), wrong_words=("错误",)
    )
    judge = JudgeGraderConfig(layout=layout)
    assert read_judgement("结论\uff1a错误", judge).verdict is False
    assert read_judgement("Verdict: right", judge).verdict is None


def test_rubric_and_reference_are_in_the_prompt(make_problem):
    judge = JudgeGraderConfig(layout=RubricLayoutConfig(rubric="Be strict."), told="solution")
    told, reference = find_reference(judge, make_problem("p0", answer="4"))
    (message,) = ask_judge(judge, "2 + 2?", "It is {question}.", reference)
    assert told == "answer"
    for part in ("Be strict.", "2 + 2?", "It is {question}.", "Answer: 4"):
        assert part in message.text
    told, reference = find_reference(judge, make_problem("p1", answer=""))
    assert (told, reference) == ("nothing", None)
    assert "Reference" not in ask_judge(judge, "q", "s", reference)[0].text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"template": "{question} {solution}"}, "template: expected {rubric} exactly once"),
        ({"key_template": "{question} {rubric} {solution}"}, "expected {reference} exactly once"),
        ({"verdict": "Verdict: ("}, "expected a regular expression"),
        ({"verdict": "Verdict"}, "with one group"),
        ({"wrong_words": ("Right",)}, "expected none of right_words"),
    ],
)
def test_a_layout_that_cannot_work_is_refused_by_name(fields, message):
    with pytest.raises(ValueError, match=message.replace("{", r"\{")):
        RubricLayoutConfig(**fields)
    assert ReviewLayoutConfig(template="{solution} of {question}").template


def test_several_judgements_are_a_majority_or_an_average():
    many = JudgeGraderConfig(num_judgements=3, temperature=1.0)
    assert combine_judgements([True, True, False], many) is True
    assert combine_judgements([True, None, None], many) is True
    assert combine_judgements([True, False, None], many) is None
    assert combine_judgements([None, None], many) is None
    strict = many.with_fields(combine="average", min_share=0.75)
    assert combine_judgements([True, True, False], strict) is False
    assert combine_judgements([True, True, True, False], strict) is True
    with pytest.raises(ValueError, match="num_judgements: expected 1 at temperature 0"):
        JudgeGraderConfig(num_judgements=2)


@pytest.mark.parametrize(
    ("said", "first", "majority", "all_of", "any_of"),
    [
        ((True, True), True, True, True, True),
        ((True, False), True, None, False, True),
        ((None, False), False, False, False, None),
        ((None, True), True, True, None, True),
        ((None, None), None, None, None, None),
        ((False, True, True), False, True, False, True),
        ((False, False, None), False, False, False, None),
    ],
)
def test_an_ensemble_combines_what_its_members_say(said, first, majority, all_of, any_of):
    grades = [Grade("4", verdict) for verdict in said]
    rules = ("first", "majority", "all", "any")
    found = [combine_grades(grades, rule).correct for rule in rules]
    assert found == [first, majority, all_of, any_of]


def test_an_ensemble_grades_like_any_grader(make_problem):
    config = EnsembleGraderConfig.from_partial(
        {"graders": [{"type": "exact"}, {"type": "math"}], "combine": "any"}
    )
    grader = make_grader(config)
    problem = make_problem("p0", answer="0.5")
    assert grader.grade("Answer: 1/2", problem) == Grade("1/2", True)
    assert grader.grade("Answer: 2", problem) == Grade("2", False)
    assert grader.name.startswith("ensemble-1+any(exact-2,math")
    grader.close()
    with pytest.raises(ValueError, match="expected members that differ"):
        EnsembleGraderConfig.from_partial({"graders": [{"type": "exact"}, {"type": "exact"}]})


def test_a_judge_is_found_in_an_ensemble_and_grades_nothing_by_itself(make_problem):
    config = EnsembleGraderConfig.from_partial({"graders": [{"type": "exact"}, {"type": "judge"}]})
    assert judges_in(config) == (JudgeGraderConfig(),)
    assert judges_in(None) == judges_in(SamplingJob) == ()
    with pytest.raises(ValueError, match="stepmill regrade --grader judge"):
        make_grader(config).grade("Answer: 4", make_problem("p0"))
