import pytest

from tasks.step_labels.progress import progress_labels


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # Ratios 1, .8, .75, 0, and then nothing is right any more.
        (0.5, [0.5, 0.4, 0.3, 0.0, 1.0], [True, True, False, False, False]),
        (0.5, [0.9, 1.0], [True, True]),
        (1.0, [0.79, 0.79, 1.0], [False, True, True]),
        # A question that is never solved: a step is right if a rollout of its own is.
        (0.0, [0.1, 0.0], [True, False]),
        (0.0, [0.0, 0.5], [False, False]),
        # Unknown shares say nothing about the step and the next.
        (0.5, [0.5, None, 0.5, 0.5], [True, None, None, True]),
        (None, [0.5, 0.5], [None, True]),
        (None, [0.0, None], [False, False]),
        (0.5, [], []),
    ],
)
def test_labels_by_hand(before, after, expected):
    assert progress_labels(before, after, 0.8) == expected
