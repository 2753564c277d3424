"""Groups that teach nothing are replaced, and solutions near the limit of tokens pay for it."""

import asyncio
from collections import Counter, defaultdict
from typing import Any

import pytest

from tasks.training.common import TrainingDiverged
from tasks.training.overlong import less, overlong_penalty
from tasks.training.rollouts import UNFILLED, ZERO_VARIANCE, Rollouts, all_equal
from tasks.training.start_states import check_earned


class ByState(Rollouts):
    """Rollouts whose solutions earn what their start state says."""

    def __init__(self, method: Any, states: list[dict[str, Any]]) -> None:
        self._method, self._states, self._rank = method, states, 0
        self._figures = defaultdict(list)
        self.drawn: list[tuple[tuple[int, ...], int]] = []
        self.found: dict[str, list[Any]] = {}

    async def _draw(self, state: Any, *, n: int, step: int, place: tuple[int, ...]) -> Any:
        self.drawn.append((place, state["number"]))
        return {"reward": list(state["earns"]), "state": [state["number"]]}


STATES = [{"number": i, "earns": [1.0, 1.0] if i % 2 else [1.0, 0.0]} for i in range(8)]


def draw(method: Any, numbers: list[int], step: int = 0) -> ByState:
    rollouts = ByState(method, STATES)
    rollouts.found = asyncio.run(rollouts._draw_all([(n, 2) for n in numbers], step))
    return rollouts


@pytest.fixture
def method(make_job, tmp_path):
    return lambda **fields: make_job(tmp_path, "grpo", batch_size=8, group_size=2, **fields).method


def test_a_group_without_variance_is_replaced_by_a_group_of_another_state(method):
    rollouts = draw(method(max_redraws=20), [1, 0, 3])
    assert all(number % 2 == 0 for number in rollouts.found["state"])
    figures = rollouts.take_figures()
    num_drawn = len(rollouts.drawn)
    assert num_drawn > 4
    assert figures[ZERO_VARIANCE] == pytest.approx((num_drawn - 3) / num_drawn)
    assert figures[UNFILLED] == 0.0
    places = [place for place, _ in rollouts.drawn]
    assert len(set(places)) == num_drawn
    assert {(0,), (1,), (2,), (0, 1), (2, 1)} <= set(places)
    # The group that had variance was not drawn again.
    assert Counter(place[0] for place in places)[1] == 1
    assert draw(method(max_redraws=20), [1, 0, 3]).drawn == rollouts.drawn
    assert draw(method(max_redraws=20), [1, 0, 3], step=1).drawn != rollouts.drawn


def test_after_the_last_redraw_the_group_is_kept_and_counted(method):
    rollouts = ByState(method(max_redraws=2), [STATES[1]] * 3)
    found = asyncio.run(rollouts._draw_all([(0, 2)], 0))
    assert [place for place, _ in rollouts.drawn] == [(0,), (0, 1), (0, 2)]
    assert found["reward"] == [1.0, 1.0]
    assert rollouts.take_figures() == {ZERO_VARIANCE: 1.0, UNFILLED: 1.0}


def test_without_redraws_only_the_share_is_reported(method):
    rollouts = draw(method(), [1, 0, 3, 5])
    assert rollouts.found["state"] == [1, 0, 3, 5]
    assert rollouts.take_figures() == {ZERO_VARIANCE: 0.75}


def test_solutions_earn_the_same_if_their_sums_are_equal():
    assert all_equal([1.0, [0.5, 0.5], None])
    assert not all_equal([1.0, [0.5, 0.25]])
    assert all_equal([None, None])


@pytest.mark.parametrize(
    ("num_tokens", "penalty"), [(10, 0), (80, 0), (85, 0.5), (90, 1), (99, 1.9), (100, 2)]
)
def test_the_penalty_rises_over_the_last_tokens(num_tokens, penalty):
    found = overlong_penalty(num_tokens, max_tokens=100, buffer=20, weight=2.0)
    assert found == pytest.approx(penalty)


def test_the_last_token_pays_the_penalty():
    assert less(1.0, 0.25) == 0.75
    assert less([1.0, 0.5], 0.25) == [1.0, 0.25]
    assert less(None, 0.25) is None
    assert less([1.0], 0.0) == [1.0]


@pytest.mark.parametrize("earned", [float("nan"), float("inf"), [0.0, float("-inf")]])
def test_a_reward_that_is_not_finite_ends_the_training(earned):
    with pytest.raises(TrainingDiverged, match="reward grade: expected finite numbers, got"):
        check_earned([1.0, None, earned], [(1, 2)] * 3, "grade")


def test_a_list_of_rewards_has_one_for_each_token():
    check_earned([[0.0, 1.0], 2.0, None], [(1, 2), (3,), (4,)], "mine")
    with pytest.raises(ValueError, match=r"reward mine: .* each of a solution's 2 tokens, got 1"):
        check_earned([[1.0]], [(1, 2)], "mine")
