import pytest

from tasks.pretraining.scores import majority_at_k, pass_at_k
from tasks.world.checker import SolutionCheck


def _checks(answers, gold):
    return [SolutionCheck((), answer, answer == gold) for answer in answers]


@pytest.mark.parametrize(
    ("num_solutions", "num_right", "k", "expected"),
    [(5, 2, 2, 0.7), (10, 1, 5, 0.5), (100, 3, 10, 0.273469), (4, 0, 4, 0.0), (4, 1, 4, 1.0)],
)
def test_pass_at_k_is_the_unbiased_estimate(num_solutions, num_right, k, expected):
    assert pass_at_k(num_solutions, num_right, k) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("answers", "k", "expected"),
    [
        ([7, 7, 8], 3, 1.0),
        ([7, 8, 8], 3, 0.0),
        ([7, 8], 2, 0.5),
        ([7, 7, 8, 8], 2, 0.5),
        ([7, None, None, None], 4, 1.0),
        ([None, None], 2, 0.0),
        ([7, 8, 9], 3, 1 / 3),
    ],
)
def test_majority_shares_ties_and_ignores_missing_answers(answers, k, expected):
    assert majority_at_k(_checks(answers, gold=7), k) == pytest.approx(expected)
