import random

import pytest

from schemas.training.rewards import GradeRewardConfig
from tasks.graders import Grade
from tasks.training.rewards.grade import grade_reward
from tasks.verifiers.credit import shaped_return, step_rewards


@pytest.mark.parametrize(
    ("grade", "is_finished", "reward"),
    [
        (Grade("7", True), True, 1.0),
        (Grade("8", False), True, 0.2),
        (Grade(None, False), True, 0.0),
        (Grade("7", True), False, 0.0),
        (Grade("7", None), True, None),
    ],
)
def test_an_answer_earns_by_right_parsable_and_neither(grade, is_finished, reward):
    config = GradeRewardConfig()
    assert grade_reward(grade, is_finished=is_finished, config=config) == reward


def test_a_step_earns_what_it_changes_the_lowest_score():
    assert step_rewards([0.9, 0.4, 0.7, 0.3]) == pytest.approx([-0.1, -0.5, 0.0, -0.1])
    assert shaped_return([0.9, 0.4, 0.7, 0.3]) == pytest.approx(0.3)
    assert step_rewards([]) == []
    assert shaped_return([]) == 1.0


def test_no_further_step_raises_the_return_wherever_it_is_put():
    rng = random.Random(0)
    for _ in range(300):
        scores = [rng.random() for _ in range(rng.randint(1, 6))]
        place, more = rng.randint(0, len(scores)), [rng.random() for _ in range(rng.randint(1, 5))]
        longer = [*scores[:place], *more, *scores[place:]]
        assert shaped_return(longer) <= shaped_return(scores) + 1e-12
        # Repeating a step, or splitting it into two with the same score, changes nothing.
        repeated = [score for score in scores for _ in range(3)]
        assert shaped_return(repeated) == pytest.approx(shaped_return(scores))
        # A step never earns a positive reward.
        assert all(reward <= 0 for reward in step_rewards(longer))
        assert sum(step_rewards(longer)) == pytest.approx(min(longer) - 1)


def test_a_config_in_which_a_wrong_answer_earns_more_is_refused():
    with pytest.raises(ValueError, match="right > parsable >= neither"):
        GradeRewardConfig(right=0.2, parsable=0.5)
