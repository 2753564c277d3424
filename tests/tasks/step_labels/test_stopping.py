from itertools import product
from math import comb

import pytest

from schemas.step_labels import MonteCarloConfig
from tasks.step_labels.stopping import keep_until_stop, num_to_draw, p_label_right

HIT, MISS, UNKNOWN = True, False, None


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], 1),
        ([HIT], 0),
        ([MISS] * 3, 1),
        ([MISS] * 7, 1),
        ([MISS] * 8, 0),
        ([MISS, MISS, HIT], 0),
        ([UNKNOWN] * 8, 0),
        ([UNKNOWN, HIT], 0),
    ],
)
def test_first_hit_stops_once_the_label_is_certain(verdicts, expected):
    assert num_to_draw(verdicts, MonteCarloConfig(stopping="first_hit")) == expected


def test_first_hit_waits_for_as_many_hits_as_the_label_needs():
    config = MonteCarloConfig(num_rollouts=6, min_correct=3, stopping="first_hit")
    assert num_to_draw([HIT, HIT], config) == 1
    assert num_to_draw([HIT, HIT, MISS, HIT], config) == 0
    assert num_to_draw([HIT, MISS, MISS, MISS], config) == 1  # two more hits may come
    assert num_to_draw([MISS] * 4, config) == 0  # three cannot


def test_without_stopping_all_rollouts_come_at_once():
    assert num_to_draw([], MonteCarloConfig()) == 8
    assert num_to_draw([HIT] * 5, MonteCarloConfig()) == 3
    assert num_to_draw([HIT] * 9, MonteCarloConfig()) == 0


def test_waves_do_not_draw_more_than_are_left():
    config = MonteCarloConfig(num_rollouts=5, stopping="first_hit", wave_size=4)
    assert num_to_draw([], config) == 4
    assert num_to_draw([MISS] * 4, config) == 1


def test_stopping_first_gives_the_label_of_all_rollouts_for_every_sequence():
    for n, min_correct in ((4, 1), (5, 2), (5, 5)):
        config = MonteCarloConfig(num_rollouts=n, min_correct=min_correct, stopping="first_hit")
        for verdicts in product([HIT, MISS], repeat=n):
            kept = keep_until_stop(verdicts, config)
            assert (kept.count(HIT) >= min_correct) == (verdicts.count(HIT) >= min_correct)


@pytest.mark.parametrize(
    ("num_correct", "num_wrong", "num_left", "min_correct", "expected"),
    [
        (1, 3, 4, 1, 1.0),
        (0, 5, 2, 3, 0.0),
        # No rollout yet: solvable 1/2, and then a uniform rate misses all 8 with 1/9.
        (0, 0, 8, 1, 0.5 * 8 / 9),
        # 4 misses: solvable (1/2)(1/5) / (1/2 + (1/2)(1/5)) = 1/6; 4 more misses: 5/9.
        (0, 4, 4, 1, (1 / 6) * (4 / 9)),
        # One hit rules the hopeless case out; the next hits with 2/3.
        (1, 0, 1, 2, 2 / 3),
    ],
)
def test_chance_of_a_right_label_by_hand(num_correct, num_wrong, num_left, min_correct, expected):
    chance = p_label_right(
        num_correct=num_correct,
        num_wrong=num_wrong,
        num_left=num_left,
        min_correct=min_correct,
        p_fatal=0.5,
    )
    assert chance == pytest.approx(expected)


def test_chance_of_a_right_label_equals_the_integral_over_rates():
    num_cells = 20_000
    rates = [(i + 0.5) / num_cells for i in range(num_cells)]
    weights = [rate**2 * (1 - rate) ** 3 for rate in rates]
    tail = [
        sum(comb(4, k) * rate**k * (1 - rate) ** (4 - k) for k in range(2, 5)) for rate in rates
    ]
    integral = sum(w * t for w, t in zip(weights, tail, strict=True)) / sum(weights)
    chance = p_label_right(num_correct=2, num_wrong=3, num_left=4, min_correct=4, p_fatal=0.3)
    assert chance == pytest.approx(integral, abs=1e-6)


def test_confidence_stops_earlier_the_less_is_asked():
    def num_misses(confidence: float) -> int:
        config = MonteCarloConfig(stopping="confidence", confidence=confidence)
        return len(keep_until_stop([MISS] * 8, config))

    # p(label right) after m misses of 8 is (1 - (m+1)/9) / (m+2): .27, .17, .11, .07, .05, .03
    # for m = 1 to 6.
    assert [num_misses(c) for c in (0.7, 0.8, 0.9, 0.95, 0.96, 0.98)] == [1, 2, 4, 5, 6, 7]


def test_hindsight_keeps_what_would_have_been_drawn():
    first_hit = MonteCarloConfig(num_rollouts=4, stopping="first_hit")
    assert keep_until_stop([MISS, HIT, HIT, MISS], first_hit) == [MISS, HIT]
    assert keep_until_stop([MISS, MISS], first_hit) == [MISS, MISS]
    assert keep_until_stop([HIT] * 9, MonteCarloConfig(num_rollouts=4)) == [HIT] * 4
    waves = first_hit.with_fields(wave_size=3)
    assert keep_until_stop([HIT, MISS, HIT, MISS], waves) == [HIT, MISS, HIT]
    assert keep_until_stop([MISS, MISS, HIT, HIT], waves, num_known=1) == [MISS, MISS, HIT, HIT]
    assert keep_until_stop([HIT, MISS, HIT], waves, num_known=2) == [HIT, MISS]
