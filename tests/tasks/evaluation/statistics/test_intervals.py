import pytest

from tasks.evaluation.statistics.intervals import wilson_interval


@pytest.mark.parametrize(
    ("num_successes", "num_trials", "low", "high"),
    [
        # z = 1.959964, z^2 = 3.841459. 0 of 8: high = z^2 / (n + z^2) = 3.841459 / 11.841459.
        (0, 8, 0.0, 0.324407),
        (8, 8, 0.675593, 1.0),
        # 4 of 8: 1/2 -+ z / (2 sqrt(n + z^2)) = 1/2 -+ 1.959964 / 6.882284.
        (4, 8, 0.215216, 0.784784),
        # 1 of 10: (0.1 + 0.192073 -+ 1.959964 sqrt(0.009 + 0.009604)) / 1.384146.
        (1, 10, 0.017876, 0.404150),
    ],
)
def test_wilson_by_hand(num_successes, num_trials, low, high):
    assert wilson_interval(num_successes, num_trials) == pytest.approx((low, high), abs=2e-6)


def test_more_confidence_is_wider():
    narrow, wide = wilson_interval(3, 8, 0.5), wilson_interval(3, 8, 0.99)
    assert wide[0] < narrow[0] < 3 / 8 < narrow[1] < wide[1]


@pytest.mark.parametrize("arguments", [(0, 0), (3, 2), (-1, 4), (1, 4, 1.0)])
def test_impossible_counts_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        wilson_interval(*arguments)
