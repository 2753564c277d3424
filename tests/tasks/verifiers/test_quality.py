import math
import random

import pytest

from tasks.verifiers.quality import (
    auc,
    expected_calibration_error,
    grouped_auc,
    log_loss,
    reliability_table,
)


def test_auc_by_hand_with_a_tie():
    # Pairs (right, wrong): .9>.5, .9>.1, .5=.5, .5>.1: 3.5 of 4.
    assert auc([0.9, 0.5, 0.5, 0.1], [True, True, False, False]) == 0.875


def test_auc_equals_the_pairwise_definition():
    draw = random.Random(3)
    for _ in range(50):
        scores = [draw.randrange(5) / 4 for _ in range(20)]
        labels = [draw.choice([True, False, None]) for _ in range(20)]
        right = [s for s, ok in zip(scores, labels, strict=True) if ok is True]
        wrong = [s for s, ok in zip(scores, labels, strict=True) if ok is False]
        wins = [(a > b) + 0.5 * (a == b) for a in right for b in wrong]
        expected = sum(wins) / len(wins) if wins else None
        assert auc(scores, labels) == pytest.approx(expected)


@pytest.mark.parametrize("labels", [[], [True, True], [False, None]])
def test_auc_needs_both_kinds(labels):
    assert auc([0.5] * len(labels), labels) is None


def test_grouped_auc_ranks_within_groups_only():
    # Pooled, the wrong .8 of the first group would beat the right .2 of the second.
    groups = [([0.9, 0.8], [True, False]), ([0.2, 0.1], [True, False]), ([0.5], [True])]
    assert grouped_auc(groups) == 1.0
    assert grouped_auc([([0.5], [True])]) is None


def test_log_loss_by_hand_and_with_unknown_labels():
    expected = -(math.log(0.8) + math.log(0.6)) / 2
    assert log_loss([0.8, 0.4, 0.9], [True, False, None]) == pytest.approx(expected)
    assert log_loss([0.25], [0.5]) == pytest.approx(-0.5 * (math.log(0.25) + math.log(0.75)))
    assert log_loss([1.0], [False]) == pytest.approx(-math.log(1e-6), rel=1e-6)
    assert log_loss([0.5], [None]) is None


def test_reliability_by_hand():
    table = reliability_table([0.1, 0.3, 0.5, 1.0, 0.7], [False, True, True, True, None], 2)
    assert [row.count for row in table] == [2, 2]
    assert [row.mean_score for row in table] == pytest.approx([0.2, 0.75])
    assert [row.rate for row in table] == [0.5, 1.0]
    assert expected_calibration_error(table) == pytest.approx((2 * 0.3 + 2 * 0.25) / 4)


def test_empty_bins_are_unknown_not_zero():
    table = reliability_table([0.95], [True], 10)
    assert table[0].rate is None
    assert table[-1].rate == 1.0
    assert expected_calibration_error(reliability_table([], [], 10)) is None


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="expected 2 scores"):
        auc([0.1], [True, False])
    with pytest.raises(ValueError, match=r"scores in \[0, 1\]"):
        reliability_table([1.2], [True])
