"""Confidences of groups and solutions, by hand and by brute force."""

import random
from statistics import mean

import numpy as np
import pytest

from tasks.search.confidences import group_confidences, keep_threshold, trace_confidence

TOKENS = [4.0, 2.0, 6.0, 8.0]


@pytest.mark.parametrize(
    ("window", "groups"),
    [(1, TOKENS), (2, [3.0, 4.0, 7.0]), (3, [4.0, 16 / 3]), (4, [5.0]), (9, [5.0])],
)
def test_a_group_is_every_run_of_a_window_or_the_whole(window, groups):
    assert group_confidences(TOKENS, window) == pytest.approx(groups)


@pytest.mark.parametrize(
    ("how", "window", "value"),
    [
        ("mean", 2, 5.0),
        ("lowest_group", 2, 3.0),
        ("lowest_groups", 2, 3.0),
        ("tail", 2, 7.0),
        ("tail", 3, 16 / 3),
        ("lowest_group", 1, 2.0),
        ("tail", 100, 5.0),
    ],
)
def test_the_confidences_of_a_solution_by_hand(how, window, value):
    assert trace_confidence(TOKENS, window, how) == pytest.approx(value)


def test_the_lowest_groups_are_a_tenth_rounded_down_and_one_at_least():
    rng = random.Random(0)
    for _ in range(50):
        tokens = [rng.expovariate(1) for _ in range(rng.randint(1, 80))]
        window = rng.randint(1, 12)
        size = min(window, len(tokens))
        groups = sorted(mean(tokens[i : i + size]) for i in range(len(tokens) - size + 1))
        expected = mean(groups[: max(1, len(groups) // 10)])
        assert trace_confidence(tokens, window, "lowest_groups") == pytest.approx(expected)
        assert trace_confidence(tokens, window, "lowest_group") == pytest.approx(groups[0])


@pytest.mark.parametrize("keep", [0.1, 0.25, 0.5, 0.9, 1.0])
def test_the_threshold_is_the_percentile(keep):
    rng = random.Random(1)
    for num in range(1, 40):
        values = [rng.random() for _ in range(num)]
        found = keep_threshold(values, keep)
        assert found == pytest.approx(np.percentile(values, 100 * (1 - keep)))
        assert sum(value >= found for value in values) >= 1
    assert keep_threshold([3.0, 1.0, 2.0], 1.0) == 1.0


def test_nothing_has_no_confidence():
    with pytest.raises(ValueError, match="at least one token"):
        trace_confidence([], 4, "mean")
    with pytest.raises(ValueError, match="at least one solution"):
        keep_threshold([], 0.5)
