import itertools
import random
from typing import get_args

import pytest

from tasks.world.problems import iterate_problems
from tasks.world.reviews import StepReview, StepVerdict, review
from tasks.world.students import Hint, write_solution
from tasks.world.voice import PHRASES, hear, hear_review, say, say_review


def test_a_verdict_is_said_in_the_first_person():
    line = StepReview("Tuesday: [buys for] ", "wrong", "leave out")
    assert say(line) == "Tuesday: [buys for] Wait, that is wrong: I should leave it out."
    assert say(StepReview("Answer: ", "right")) == "Answer: Yes, that is right."


def test_every_verdict_and_hint_is_heard_as_it_was_said():
    said = set()
    labels = ("Tuesday: [buys for] ", "Answer: ", "")
    hints = (None, *get_args(Hint))
    for label, verdict, hint in itertools.product(labels, get_args(StepVerdict), hints):
        line = StepReview(label, verdict, hint)
        assert hear(say(line)) == line
        said.add(say(line))
    assert len(said) == 3 * 3 * 8


@pytest.mark.parametrize(
    "text", ["", "Yes, that is right", "Tuesday: [buys] 3 + 4 = 7", "Let me check that.", "right"]
)
def test_other_lines_are_not_verdicts(text):
    assert hear(text) is None
    assert hear_review(text) is None


def test_whole_reviews_come_back():
    rng = random.Random(0)
    for problem in itertools.islice(iterate_problems(8, "train"), 300):
        found = review(problem, write_solution(problem, rng))
        assert hear_review(say_review(found)) == found


def test_no_phrase_hides_another():
    for phrase, other in itertools.permutations(PHRASES, 2):
        assert not other.startswith(phrase)
