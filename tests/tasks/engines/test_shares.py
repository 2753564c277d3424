"""Units that run at once divide the clock's time."""

import random

import pytest

from tasks.engines.shares import TimeShares


class HandClock:
    """A clock that a test advances."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def shares(clock):
    return TimeShares(clock)


def test_one_after_the_other_each_gets_its_own_time_and_a_pause_is_nobodys(clock, shares):
    clock.now = 110.0
    first = shares.begin()
    clock.now = 113.0
    assert shares.end(first) == 3.0
    clock.now = 120.0
    second = shares.begin()
    clock.now = 121.0
    assert shares.end(second) == 1.0


def test_two_at_once_get_half_each_while_both_run(clock, shares):
    """The first is alone for 4 s, both run for 6 s, the second is alone for 1 s."""
    first = shares.begin()
    clock.now += 4
    second = shares.begin()
    clock.now += 6
    assert shares.end(first) == 4 + 3
    clock.now += 1
    assert shares.end(second) == 3 + 1


def test_three_at_once(clock, shares):
    begun = [shares.begin() for _ in range(3)]
    clock.now += 9
    assert shares.end(begun[1]) == 3
    clock.now += 2
    assert [shares.end(begun[2]), shares.end(begun[0])] == [4, 4]


def test_shares_add_up_to_the_time_in_which_anything_ran(clock, shares):
    rng = random.Random(1)
    running, total, busy = [], 0.0, 0.0
    for _ in range(500):
        passed = rng.randrange(1, 64)
        clock.now += passed
        busy += passed if running else 0
        if running and rng.random() < 0.5:
            total += shares.end(running.pop(rng.randrange(len(running))))
        else:
            running.append(shares.begin())
    for begun in running:
        total += shares.end(begun)
    assert total == pytest.approx(busy, rel=1e-12)
    assert busy > 10_000
