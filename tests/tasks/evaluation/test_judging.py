"""A judge against the grader, on scores counted by hand and by brute force."""

import random
from itertools import product
from statistics import fmean

import pytest

from schemas.evaluation import EvaluationConfig
from tasks.evaluation.figures import About
from tasks.evaluation.judging import AUC, PAIRS, Judged, judge_rows, pair_accuracies

CONFIG = EvaluationConfig(num_bootstrap=50)
ABOUT = About("judge", arm="a")


def rows_of(judged):
    return {row.metric: row for row in judge_rows(judged, ABOUT, "p", CONFIG, bin_name="round=1")}


def test_pairs_are_compared_within_a_problem_and_ties_count_half():
    judged = [
        Judged("p0", True, 1.0),
        Judged("p0", False, 0.5),
        Judged("p0", False, 1.0),
        Judged("p1", True, 0.0),
        Judged("p1", False, 0.5),
        Judged("p2", True, 1.0),  # no wrong one to compare with
    ]
    assert pair_accuracies(judged) == [0.75, 0.0]
    figures = rows_of(judged)
    assert figures[PAIRS].value == pytest.approx(0.375)
    assert figures[PAIRS].num_problems == 2
    # Right 1, 0, 1 against wrong .5, 1, .5: 1 + .5 + 1, none, 1 + .5 + 1 of nine pairs.
    assert figures[AUC].value == pytest.approx(5 / 9)
    assert (figures[AUC].arm, figures[AUC].bin) == ("a", "round=1")


def test_the_auc_is_the_share_of_all_ordered_pairs():
    draw = random.Random(0)
    judged = [
        Judged(f"p{draw.randrange(9)}", draw.random() < 0.5, draw.randrange(4) / 3)
        for _ in range(60)
    ]
    right = [each.score for each in judged if each.right]
    wrong = [each.score for each in judged if not each.right]
    expected = fmean(0.5 if r == w else float(r > w) for r, w in product(right, wrong))
    figures = rows_of(judged)
    assert figures[AUC].value == pytest.approx(expected)
    low, high = figures[AUC].ci_low, figures[AUC].ci_high
    assert low is not None
    assert high is not None
    assert low <= expected <= high


@pytest.mark.parametrize("judged", [[], [Judged("p0", True, 1.0)], [Judged("p0", False, 1.0)]])
def test_without_right_and_wrong_solutions_there_is_no_figure(judged):
    assert rows_of(judged) == {}
