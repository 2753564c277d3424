from random import Random

import numpy as np
import pytest

from tasks.evaluation.statistics.bootstrap import agreement_interval
from tasks.evaluation.statistics.ranking import bootstrap_auc
from tasks.verifiers.quality import auc

SETTINGS = {"num_resamples": 300, "confidence": 0.95, "seed": 1}


def test_auc_by_hand_per_column():
    """Right steps score .9 and .5; the wrong ones .5 (column 0), .7 (column 1): 3/4 and 1/2."""
    means = bootstrap_auc(
        [0.9, 0.5, 0.5, 0.7],
        np.array([True, True, False, False]),
        ["p", "q", "q", "r"],
        np.array([[False, False], [False, False], [True, False], [False, True]]),
        **SETTINGS,
    )
    assert means.value.tolist() == [0.75, 0.5]
    assert means.num_problems.tolist() == [1, 1]
    assert means.interval(0) == (None, None)


def random_steps(num_problems: int):
    draw = Random(5)
    truth = [draw.random() < 0.6 for _ in range(num_problems * 4)]
    scores = [round(draw.random() * 0.7 + 0.2 * ok, 1) for ok in truth]
    return scores, truth, [f"p{i % num_problems}" for i in range(len(truth))]


def test_auc_with_ties_is_the_pairwise_count_and_its_interval_holds_it():
    scores, truth, problems = random_steps(60)
    is_right = np.array(truth)
    means = bootstrap_auc(scores, is_right, problems, (~is_right)[:, None], **SETTINGS)
    assert means.value[0] == pytest.approx(auc(scores, truth))
    low, high = means.interval(0)
    assert low is not None
    assert high is not None
    assert low < means.value[0] < high
    assert high - low < 0.3


def test_problems_that_are_the_same_are_as_certain_as_their_number():
    """Every resample of copies of one problem is that problem; five say little about a sixth."""
    means = bootstrap_auc(
        [0.9, 0.4, 0.6] * 5,
        np.array([True, True, False] * 5),
        [f"p{i // 3}" for i in range(15)],
        np.array([[False], [False], [True]] * 5),
        **SETTINGS,
    )
    low, high = agreement_interval(0.5, 5, (0.0, 1.0), SETTINGS["confidence"])
    assert (means.value[0], *means.interval(0)) == (0.5, low, high)


def test_without_right_or_wrong_steps_there_is_no_auc():
    for is_right in (True, False):
        truth = np.array([is_right] * 3)
        means = bootstrap_auc(
            [0.1, 0.2, 0.3], truth, ["p", "q", "r"], (~truth)[:, None], **SETTINGS
        )
        assert np.isnan(means.value[0])
        assert means.interval(0) == (None, None)


def test_bad_input_is_named():
    truth = np.array([True, False])
    with pytest.raises(ValueError, match="expected 2 scores, truths and problems, got 1, 2 and 2"):
        bootstrap_auc([0.1], truth, ["p", "q"], (~truth)[:, None], **SETTINGS)
    with pytest.raises(ValueError, match="got a right one"):
        bootstrap_auc([0.1, 0.2], truth, ["p", "q"], np.array([[True], [True]]), **SETTINGS)
