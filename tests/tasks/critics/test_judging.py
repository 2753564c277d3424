"""Scores from judgements."""

import pytest

from tasks.critics.judging import judgement, mean_judgement


def test_a_probability_counts_before_a_verdict():
    assert judgement(0.25, True) == 0.25
    assert judgement(None, True) == 1.0
    assert judgement(None, False) == 0.0
    assert judgement(None, None) is None


def test_the_score_is_the_mean_of_those_that_say_something():
    said = [(0.5, None), (None, True), (None, None), (None, False)]
    assert mean_judgement(said) == pytest.approx(0.5)
    assert mean_judgement([(None, None)]) is None
    assert mean_judgement([]) is None
