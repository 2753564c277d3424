from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations
from random import Random

import numpy as np
import pytest

from tasks.evaluation.statistics.curves import majority_curve
from tasks.evaluation.statistics.subsets import Votes, draw_subsets


def fair(winners, correct_of):
    return sum(correct_of[w] for w in winners) / len(winners) if winners else 0


def top(values):
    return [key for key, value in values.items() if value == max(values.values())]


def problem(seed):
    """A small random problem: classes, correct, weights in quarters (so sums are exact)."""
    draw = Random(seed)
    n = draw.randrange(1, 9)
    classes = [draw.choice([None, 0, 1, 2]) for _ in range(n)]
    correct = [label == 0 for label in classes]
    weights = [draw.choice([None, 0.0, 0.25, 0.5, 1.0]) for _ in range(n)]
    return n, classes, correct, weights


def all_subsets(n, k, value):
    subsets = list(combinations(range(n), k))
    return float(sum(Fraction(value(s)) for s in subsets) / len(subsets))


RIGHT = {0: 1, 1: 0, 2: 0}


@pytest.mark.parametrize("seed", range(40))
def test_votes_equal_all_subsets(seed):
    n, classes, correct, weights = problem(seed)
    keep = [w is not None and w >= 0.5 for w in weights]
    budgets = range(1, n + 1)
    votes = Votes(classes, correct, draw_subsets(n, budgets, 1000, seed=0))

    def weighted(subset):
        sums = defaultdict(float)
        for i in subset:
            if classes[i] is not None:
                sums[classes[i]] += weights[i] or 0.0
        return fair(top(sums), RIGHT) if sums else 0

    def filtered(subset):
        passed = [i for i in subset if keep[i] and classes[i] is not None]
        counts = Counter(classes[i] for i in passed or subset if classes[i] is not None)
        return Fraction(fair(top(counts), RIGHT)) if counts else 0

    def gated(subset):
        counts = Counter(classes[i] for i in subset if classes[i] is not None)
        if not counts:
            return 0
        most = max(counts.values())
        bar = max(min(2, most), Fraction(3, 10) * most)
        admitted = [i for i in subset if counts.get(classes[i], 0) >= bar]
        ranks = {i: -1.0 if weights[i] is None else weights[i] for i in admitted}
        return Fraction(sum(correct[i] for i in top(ranks)), len(top(ranks)))

    assert votes.majority() == pytest.approx(majority_curve(classes, correct, budgets), abs=1e-12)
    for k in budgets:
        expected = all_subsets(n, k, weighted)
        assert votes.weighted(weights)[k - 1] == pytest.approx(expected, abs=1e-9)
        expected = all_subsets(n, k, filtered)
        assert votes.filtered(keep)[k - 1] == pytest.approx(expected, abs=1e-9)
        expected = all_subsets(n, k, gated)
        assert votes.gated(weights, 0.3)[k - 1] == pytest.approx(expected, abs=1e-9)


def test_equal_weights_are_the_majority():
    n, classes, correct, _ = 6, [0, 0, 1, 1, 2, None], [True, True, *[False] * 4], None
    votes = Votes(classes, correct, draw_subsets(n, [2, 3, 6], 1000, seed=0))
    assert votes.weighted([0.1] * n) == pytest.approx(votes.majority())


def test_sums_that_differ_by_rounding_tie():
    # .1 + .2 and .3 differ in the last bit.
    votes = Votes([0, 0, 1], [True, True, False], draw_subsets(3, [3], 10, seed=0))
    assert votes.weighted([0.1, 0.2, 0.3]).tolist() == [0.5]


def test_few_subsets_are_all_taken_and_many_are_drawn():
    subsets = draw_subsets(10, [1, 2, 5, 10], 45, seed=3)
    ends = (*subsets.starts[1:], len(subsets.masks))
    assert [b - a for a, b in zip(subsets.starts, ends, strict=True)] == [10, 45, 45, 1]
    assert len(np.unique(subsets.masks[10:55], axis=0)) == 45
    assert set(subsets.masks[55:100].sum(axis=1)) == {5.0}


def test_draws_depend_on_the_seed_alone():
    first = draw_subsets(30, [4, 8], 50, seed=1)
    assert (first.masks == draw_subsets(30, [4, 8], 50, seed=1).masks).all()
    assert (first.masks != draw_subsets(30, [4, 8], 50, seed=2).masks).any()


def test_drawn_subsets_estimate_the_exact_curve():
    draw = Random(5)
    classes = [draw.choice([None, 0, 0, 1, 1, 2]) for _ in range(64)]
    correct = [label == 0 for label in classes]
    votes = Votes(classes, correct, draw_subsets(64, [5, 16], 4000, seed=5))
    assert votes.majority() == pytest.approx(majority_curve(classes, correct, [5, 16]), abs=0.03)


def test_without_any_answer_all_are_zero():
    votes = Votes([None, None], [False, False], draw_subsets(2, [1, 2], 10, seed=0))
    for curve in (
        votes.majority(),
        votes.weighted([0.5, None]),
        votes.filtered([True, False]),
        votes.gated([0.5, None], 0.3),
    ):
        assert curve.tolist() == [0.0, 0.0]


def test_wrong_lengths_and_budgets_are_refused():
    with pytest.raises(ValueError, match="expected 2 candidates, got 1 and 2"):
        Votes([0], [True, False], draw_subsets(2, [1], 10, seed=0))
    with pytest.raises(ValueError, match="between 1 and the 2 candidates, got 3"):
        draw_subsets(2, [3], 10, seed=0)
