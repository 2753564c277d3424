"""Answers of a search: graded once, and numbered in the same way by every call."""

import asyncio
import itertools

import pytest

from schemas.graders import ExactGraderConfig, MathGraderConfig
from schemas.rows import Problem
from schemas.search.strategies import MajorityConfig
from tasks.graders import Grade, make_grader
from tasks.graders.exact_grader import ExactGrader
from tasks.search.answers import Answers


def test_equal_answers_have_the_same_number_in_every_call(make_problem):
    grader = make_grader(MathGraderConfig())
    texts = [rf"\boxed{{{a}}}" for a in ("1/2", "0.5", "3", r"\frac{1}{2}", "3.0", "7")]
    try:
        together = Answers(grader, make_problem())
        wanted = asyncio.run(together.classes(texts))
        apart = Answers(grader, make_problem())
        found = [asyncio.run(apart.classes([text]))[0] for text in texts]
        again = asyncio.run(apart.classes(texts[::-1]))
    finally:
        grader.close()
    assert wanted == found == again[::-1] == [0, 0, 1, 0, 1, 2]


def test_what_has_no_answer_has_no_number(make_problem):
    answers = Answers(make_grader(ExactGraderConfig()), make_problem())
    texts = ["Answer: 4", None, "I give up", "Answer: 5", None]
    assert asyncio.run(answers.classes(texts)) == [0, None, None, 1, None]
    assert asyncio.run(answers.classes([])) == []


def test_only_finished_solutions_have_a_number(find_one, table_engine):
    table = {"": {"Answer: 4": 0.5, "Answer: 1": 0.5}, "Answer: 1": {"a": 1.0}}
    found = find_one(MajorityConfig(), table_engine(table), budget=2, max_tokens=2)
    assert [end.state for end in found.ends] == ["finished", "truncated"]
    assert asyncio.run(found.search.classes(found.ends)) == [0, None]


def test_a_text_is_graded_once(make_problem):
    class Counting(ExactGrader):
        graded: list[str] = []  # noqa: RUF012

        def grade(self, text: str, problem: Problem) -> Grade:
            self.graded.append(text)
            return super().grade(text, problem)

    answers = Answers(Counting(ExactGraderConfig()), make_problem())
    texts = ["Answer: 4", "Answer: 1", "Answer: 4"]
    for some in itertools.permutations(texts):
        grades = asyncio.run(answers.grade(some))
        assert [grade.correct for grade in grades] == [text.endswith("4") for text in some]
    assert sorted(Counting.graded) == ["Answer: 1", "Answer: 4"]


def test_a_search_without_answers_cannot_compare_them(find_one, table_engine):
    found = find_one(MajorityConfig(), table_engine({"": {"Answer: 4": 1.0}}), budget=1)
    found.search.answers = None
    with pytest.raises(ValueError, match="expected a search with the answers of its problem"):
        asyncio.run(found.search.classes(found.ends))
