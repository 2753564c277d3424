from fractions import Fraction
from itertools import combinations
from math import comb
from random import Random

import numpy as np
import pytest

from tasks.evaluation.statistics.curves import (
    best_of_n_curve,
    majority_curve,
    pass_at_k,
    pass_curve,
)

EIGHT_ANSWERS = [0, 0, 1, 1, 1, 2, 0, 3]
EIGHT_CORRECT = [answer == 0 for answer in EIGHT_ANSWERS]


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (5, 2, 2, 0.7),
        (10, 1, 5, 0.5),
        (100, 3, 10, 0.273469),
        (8, 0, 8, 0.0),
        (8, 1, 8, 1.0),
        (8, 5, 4, 1.0),
        (1, 1, 1, 1.0),
    ],
)
def test_pass_at_k_goldens(n, c, k, expected):
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-6)


def test_pass_at_k_equals_exact_arithmetic():
    for n, c, k in [
        (64, 1, 16),
        (64, 13, 7),
        (10_000, 3, 5_000),
        (10_000, 2_000, 3),
        (300, 7, 200),
    ]:
        exact = 1 - Fraction(comb(n - c, k), comb(n, k))
        assert pass_at_k(n, c, k) == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 5, 1), (4, -1, 1), (4, 1, 5), (4, 1, 0), (0, 0, 1)])
def test_pass_at_k_refuses_impossible_counts(n, c, k):
    with pytest.raises(ValueError, match="expected"):
        pass_at_k(n, c, k)


def test_majority_golden_with_fair_ties():
    expected = [3 / 8, 3 / 8, 23 / 56, 131 / 280, 1 / 2]
    curve = majority_curve(EIGHT_ANSWERS, EIGHT_CORRECT, (1, 2, 3, 4, 8))
    assert curve == pytest.approx(expected, abs=1e-12)


def test_best_of_n_golden():
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    correct = [False, True, True, False, True, False]
    curve = best_of_n_curve(scores, correct, (1, 2, 3, 6))
    assert curve == pytest.approx([1 / 2, 8 / 15, 9 / 20, 0], abs=1e-12)


def majority_of(classes, correct, subset):
    """The fair value of a subset, written down directly."""
    votes = {}
    for i in subset:
        if classes[i] is not None:
            votes[classes[i]] = votes.get(classes[i], 0) + 1
    if not votes:
        return Fraction(0)
    top = [label for label, count in votes.items() if count == max(votes.values())]
    return sum(
        Fraction(
            sum(ok for c, ok in zip(classes, correct, strict=True) if c == label),
            classes.count(label),
        )
        for label in top
    ) / len(top)


def best_of(scores, correct, subset):
    known = [scores[i] for i in subset if scores[i] is not None]
    best = max(known) if known else None
    top = [correct[i] for i in subset if scores[i] == best]
    return Fraction(sum(top), len(top))


def expectation(value, n, k):
    subsets = list(combinations(range(n), k))
    return float(sum(value(subset) for subset in subsets) / len(subsets))


@pytest.mark.parametrize("seed", range(40))
def test_closed_forms_equal_all_subsets(seed):
    draw = Random(seed)
    n = draw.randrange(1, 10)
    labels = [None, *range(draw.randrange(1, 5))]
    classes = [draw.choice(labels) for _ in range(n)]
    # One class may hold right and wrong candidates: a grader need not be consistent.
    correct = [draw.random() < (0.7 if label == 0 else 0.2) for label in classes]
    scores = [draw.choice([None, 0.1, 0.2, 0.2, 0.5]) for _ in range(n)]
    budgets = range(1, n + 1)
    majority = majority_curve(classes, correct, budgets)
    best = best_of_n_curve(scores, correct, budgets)
    passed = pass_curve(correct, budgets)
    right = [Fraction(ok) for ok in correct]
    for k in budgets:
        # An unparsable answer that was graded right has no class: it cannot win a vote.
        by_vote = expectation(lambda s: majority_of(classes, correct, s), n, k)
        assert majority[k - 1] == pytest.approx(by_vote, abs=1e-12)
        by_score = expectation(lambda s: best_of(scores, correct, s), n, k)
        assert best[k - 1] == pytest.approx(by_score, abs=1e-12)
        any_right = expectation(lambda s: max(right[i] for i in s), n, k)
        assert passed[k - 1] == pytest.approx(any_right, abs=1e-12)


def test_majority_of_two_answers_is_the_binomial_tail():
    # Nine of 200 without replacement are nearly nine independent draws.
    n, p, k = 200, 0.6, 9
    num_right = int(n * p)
    curve = majority_curve(
        [0] * num_right + [1] * (n - num_right), [True] * num_right + [False] * (n - num_right), [k]
    )
    exact = sum(comb(num_right, j) * comb(n - num_right, k - j) for j in range(5, 10)) / comb(n, k)
    independent = sum(comb(k, j) * p**j * (1 - p) ** (k - j) for j in range(5, 10))
    assert curve[0] == pytest.approx(exact, rel=1e-12)
    assert curve[0] == pytest.approx(independent, abs=0.01)


def test_majority_of_64_equals_drawing():
    draw = Random(1)
    classes = [draw.choice([None, 0, 0, 0, 1, 1, 1, 1, *range(2, 12)]) for _ in range(64)]
    correct = [label == 0 for label in classes]
    exact = majority_curve(classes, correct, [5, 16])
    for k, value in zip((5, 16), exact, strict=True):
        drawn = [
            float(majority_of(classes, correct, draw.sample(range(64), k))) for _ in range(8000)
        ]
        assert value == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 8000**0.5)


def test_a_subset_without_a_vote_counts_zero():
    assert majority_curve([None, None], [False, False], [1, 2]).tolist() == [0.0, 0.0]


def test_lengths_budgets_and_nan_are_refused():
    with pytest.raises(ValueError, match="expected 2 entries"):
        majority_curve([0], [True, False], [1])
    with pytest.raises(ValueError, match="between 1 and the 2 candidates, got 3"):
        majority_curve([0, 1], [True, False], [3])
    with pytest.raises(ValueError, match="got nan at 1"):
        best_of_n_curve([0.5, float("nan")], [True, False], [1])
    with pytest.raises(ValueError, match="between 1 and the 0 candidates"):
        best_of_n_curve([], [], [1])
