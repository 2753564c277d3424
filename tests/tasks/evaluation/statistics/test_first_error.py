"""First-error F1 against its definition: every threshold tried on every solution."""

import math
import random

import numpy as np
import pytest

from tasks.evaluation.statistics.bootstrap import agreement_interval, resample_counts
from tasks.evaluation.statistics.first_error import (
    best_threshold,
    bootstrap_first_errors,
    find_bounds,
)

CASES = range(60)


def predict(scores, threshold):
    """The index of the first step below the threshold, or None."""
    return next((i for i, score in enumerate(scores) if score < threshold), None)


def f1_of(hits, errors):
    wrong = [hit for hit, error in zip(hits, errors, strict=True) if error is not None]
    right = [hit for hit, error in zip(hits, errors, strict=True) if error is None]
    if not wrong or not right:
        return None
    a, b = sum(wrong) / len(wrong), sum(right) / len(right)
    return 2 * a * b / (a + b) if a + b else 0.0


def random_solutions(seed, *, num=None):
    """Scores on a coarse grid, so that ties, zeros and ones occur, and first errors."""
    rng = random.Random(seed)
    scores, errors = [], []
    for _ in range(num or rng.randint(1, 12)):
        length = rng.randint(1, 4)
        scores.append([rng.randint(0, 5) / 5 for _ in range(length)])
        errors.append(rng.choice([None, rng.randrange(length)]))
    return scores, errors


@pytest.mark.parametrize("seed", CASES)
def test_hits_are_those_of_the_definition(seed):
    scores, errors = random_solutions(seed)
    bounds = find_bounds(scores, errors)
    for threshold in (0.0, 0.1, 0.2, 0.5, 0.99, 1.0, 1.5):
        expected = [predict(s, threshold) == e for s, e in zip(scores, errors, strict=True)]
        assert bounds.hits(threshold).tolist() == expected


@pytest.mark.parametrize("seed", CASES)
def test_no_threshold_is_better_than_the_chosen_one(seed):
    scores, errors = random_solutions(seed)
    bounds = find_bounds(scores, errors)
    chosen = best_threshold(bounds)
    grid = [0.0, *(i / 10 + 0.01 for i in range(11))]
    reached = {
        t: f1_of([predict(s, t) == e for s, e in zip(scores, errors, strict=True)], errors)
        for t in (*grid, chosen)
        if t is not None
    }
    if chosen is None:
        assert set(reached.values()) == {None}
    else:
        assert reached[chosen] == pytest.approx(max(value or 0.0 for value in reached.values()))
        # Among equal ones the lowest: any below it predicts the very same.
        equal = [t for t in grid if t < chosen and reached[t] == pytest.approx(reached[chosen])]
        assert all((bounds.hits(t) == bounds.hits(chosen)).all() for t in equal)


def test_the_threshold_lies_between_the_scores_that_it_separates():
    bounds = find_bounds([[0.9, 0.2], [0.8, 0.7]], [1, None])
    assert best_threshold(bounds) == pytest.approx(0.45)
    assert bounds.hits(0.45).tolist() == [True, True]


@pytest.mark.parametrize("errors", [[None, None], [0, 1]])
def test_without_both_kinds_of_solutions_no_threshold_is_chosen(errors):
    assert best_threshold(find_bounds([[0.9, 0.2], [0.8, 0.7]], errors)) is None


def test_where_f1_is_zero_at_every_threshold_the_lowest_is_chosen():
    assert best_threshold(find_bounds([[1.0], [1.0], [0.0]], [0, 0, None])) == 0.0


def test_neighbouring_numbers_are_separated():
    low, high = 0.5, float(np.nextafter(0.5, 1.0))
    bounds = find_bounds([[1.0, low], [1.0, high]], [1, None])
    assert bounds.hits(best_threshold(bounds) or 0.0).tolist() == [True, True]


@pytest.mark.parametrize("seed", range(8))
def test_rates_and_intervals_are_those_of_resampled_problems(seed):
    scores, errors = random_solutions(seed, num=30)
    rng = random.Random(seed)
    ids = [f"p{rng.randrange(9)}" for _ in scores]
    groups = np.array([[True, rng.random() < 0.5] for _ in scores])
    bounds = find_bounds(scores, errors)
    hits = bounds.hits(0.5)
    found = bootstrap_first_errors(
        hits, bounds.is_erroneous, ids, groups, num_resamples=40, confidence=0.9, seed=seed
    )
    names = sorted(set(ids))
    weights = resample_counts(len(names), 40, seed)
    for group in range(2):
        rows = [i for i in range(30) if groups[i, group]]
        value = f1_of([hits[i] for i in rows], [errors[i] for i in rows])
        assert found.value[group, 2] == pytest.approx(value)
        resampled = []
        for counts in weights:
            drawn = [i for i in rows for _ in range(int(counts[names.index(ids[i])]))]
            f1 = f1_of([hits[i] for i in drawn], [errors[i] for i in drawn])
            resampled.append(math.nan if f1 is None else f1)
        low, high = np.nanquantile(resampled, [0.05, 0.95])
        if low == high:  # all problems agree
            behind = [
                len({ids[i] for i in rows if (errors[i] is None) is is_right})
                for is_right in (True, False)
            ]
            low, high = agreement_interval(value or 0.0, min(behind), (0.0, 1.0), 0.9)
        assert (found.low[group, 2], found.high[group, 2]) == pytest.approx((low, high))
    assert found.value[2] == pytest.approx(found.value[:2].mean(axis=0))


def test_a_group_without_errors_has_no_f1_and_no_mean():
    found = bootstrap_first_errors(
        np.array([True, True, False]),
        np.array([False, True, False]),
        ["a", "b", "c"],
        np.array([[True, False], [True, False], [False, True]]),
        num_resamples=20,
        confidence=0.9,
        seed=0,
    )
    assert found.value[0].tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(found.value[1]).tolist() == [True, False, True]
    assert np.isnan(found.value[2]).tolist() == [True, False, True]
    assert found.value[1, 1] == 0.0
