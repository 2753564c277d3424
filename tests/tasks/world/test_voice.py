import itertools
from typing import get_args

from tasks.world.reviews import StepReview, StepVerdict
from tasks.world.students import Hint
from tasks.world.voice import PHRASES, say


def test_a_verdict_is_said_in_the_first_person():
    line = StepReview("Tuesday: [buys for] ", "wrong", "leave out")
    assert say(line) == "Tuesday: [buys for] Wait, that is wrong: I should leave it out."
    assert say(StepReview("Answer: ", "right")) == "Answer: Yes, that is right."


def test_every_verdict_and_hint_is_said_in_words_of_its_own():
    labels = ("Tuesday: [buys for] ", "Answer: ", "")
    hints = (None, *get_args(Hint))
    lines = itertools.product(labels, get_args(StepVerdict), hints)
    assert len({say(StepReview(*line)) for line in lines}) == 3 * 3 * 8


def test_no_phrase_hides_another():
    for phrase, other in itertools.permutations(PHRASES, 2):
        assert not other.startswith(phrase)
