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
from tasks.search.tree import Node


def finished(text: str) -> Node:
    return Node(prompt="", text=text, state="finished")


def test_equal_answers_have_the_same_number_in_every_call(make_problem):
    grader = make_grader(MathGraderConfig())
    texts = [rf"\boxed{{{a}}}" for a in ("1/2", "0.5", "3", r"\frac{1}{2}", "3.0", "7")]
    try:
        together = Answers(grader, make_problem())
        wanted = asyncio.run(together.classes([*map(finished, texts)]))
        apart = Answers(grader, make_problem())
        found = [asyncio.run(apart.classes([finished(text)]))[0] for text in texts]
        again = asyncio.run(apart.classes([finished(text) for text in reversed(texts)]))
    finally:
        grader.close()
    assert wanted == found == again[::-1] == [0, 0, 1, 0, 1, 2]


def test_what_is_not_finished_or_has_no_answer_has_no_number(make_problem):
    answers = Answers(make_grader(ExactGraderConfig()), make_problem())
    nodes = [finished("Answer: 4"), finished("I give up"), finished("Answer: 5")]
    nodes.insert(1, Node(prompt="", text="Answer: 4", state="truncated"))
    nodes.insert(1, Node(prompt="", text="Answer: 4"))
    assert asyncio.run(answers.classes(nodes)) == [0, None, None, None, 1]
    assert asyncio.run(answers.classes([])) == []


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
