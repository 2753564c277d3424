import pytest

from tasks.step_labels.omega import exploration_bonus, rollout_value


@pytest.mark.parametrize(
    ("solve_rate", "num_tokens", "expected"),
    [(0.125, 100, 0.533884), (0.5, 100, 0.692362), (0.875, 100, 0.897883), (0.5, 500, 0.636396)],
)
def test_rollout_values_of_the_paper_settings(solve_rate, num_tokens, expected):
    assert rollout_value(solve_rate, num_tokens) == pytest.approx(expected, abs=1e-6)


def test_exploration_bonus_of_the_paper_settings():
    assert exploration_bonus(3, 10) == pytest.approx(0.098821, abs=1e-6)
