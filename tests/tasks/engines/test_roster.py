"""Units find open actors, alone where they must be; a unit that cannot get one learns why."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from schemas.errors import EngineFailed, ModelUnusable
from tasks.engines.roster import Roster

TIMEOUT_S = 20.0


def places_with(*actors, units_in_flight=2, timeout_s=TIMEOUT_S):
    roster = Roster(units_in_flight=units_in_flight, timeout_s=timeout_s)
    for actor in actors:
        roster.expect()
        roster.add(actor)
    return roster


@pytest.fixture
def threads():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_the_actor_with_least_to_do_is_taken_first():
    roster = places_with("a", "b")
    with roster.take(alone=False) as first, roster.take(alone=False) as second:
        assert {first.actor, second.actor} == {"a", "b"}
        with roster.take(alone=False), roster.take(alone=False):
            assert (first.load, second.load) == (2, 2)
    assert (first.load, second.load) == (0, 0)


def test_a_unit_waits_while_all_are_full(threads):
    roster = places_with("a", units_in_flight=1)

    def take():
        with roster.take(alone=False) as member:
            return member.actor

    with roster.take(alone=False):
        waiting = threads.submit(take)
        assert not waiting.done()
    assert waiting.result(TIMEOUT_S) == "a"


def test_a_unit_that_must_be_alone_waits_for_those_beside_it_and_lets_no_other_in(threads):
    roster = places_with("a")
    order, leave = [], threading.Event()

    def take(name, alone):
        with roster.take(alone=alone) as member:
            order.append((name, member.load))

    def stay():
        with roster.take(alone=False) as member:
            here.set_result(member)
            leave.wait(TIMEOUT_S)
            order.append(("first", None))

    here: Future = Future()
    staying = threads.submit(stay)
    member = here.result(TIMEOUT_S)
    alone = threads.submit(take, "alone", True)
    deadline = time.monotonic() + TIMEOUT_S
    while member.load < 3:  # one is at work, and the lone one counts as two
        assert time.monotonic() < deadline
        leave.wait(0.01)
    later = threads.submit(take, "later", False)
    assert not alone.done()
    leave.set()
    for call in (staying, alone, later):
        call.result(TIMEOUT_S)
    assert order == [("first", None), ("alone", 2), ("later", 1)]


def test_a_lost_actor_is_taken_away_once_and_a_lone_unit_finds_another(threads):
    roster = places_with("a")
    with roster.take(alone=False) as member:
        lone = threads.submit(lambda: roster.take(alone=True).__enter__().actor)
        roster.expect()
        assert roster.remove(member)
        assert not roster.remove(member)
        roster.add("b")
        assert lone.result(TIMEOUT_S) == "b"


def test_a_unit_waits_for_an_actor_that_is_expected(threads):
    roster = places_with()
    roster.expect()
    waiting = threads.submit(lambda: roster.take(alone=False).__enter__().actor)
    roster.add("late")
    assert waiting.result(TIMEOUT_S) == "late"


def test_when_the_last_actor_is_given_up_whoever_waits_is_told_why(threads):
    roster = places_with()
    roster.expect()
    waiting = threads.submit(lambda: roster.take(alone=False).__enter__())
    roster.give_up(ModelUnusable("no such model"))
    with pytest.raises(EngineFailed, match="no actor is left: no such model"):
        waiting.result(TIMEOUT_S)
    with pytest.raises(ModelUnusable, match="no such model"):
        roster.wait_for_all()


def test_waiting_with_no_actor_open_ends_when_patience_does():
    roster = places_with(timeout_s=0.05)
    roster.expect()
    for wait in (roster.wait_for_all, roster.take(alone=False).__enter__):
        with pytest.raises(EngineFailed, match=r"no actor was open for 0\.05 s"):
            wait()


def test_a_full_actor_is_waited_for_beyond_patience(threads):
    roster = places_with("a", units_in_flight=1, timeout_s=0.05)
    leave = threading.Event()

    def stay():
        with roster.take(alone=False):
            leave.wait(TIMEOUT_S)

    staying = threads.submit(stay)
    waiting = threads.submit(lambda: roster.take(alone=False).__enter__().actor)
    with pytest.raises(TimeoutError):
        waiting.result(0.3)
    leave.set()
    assert waiting.result(TIMEOUT_S) == "a"
    staying.result(TIMEOUT_S)


def test_closing_sends_all_away(threads):
    roster = places_with()
    roster.expect()
    waiting = threads.submit(lambda: roster.take(alone=False).__enter__())
    roster.close()
    with pytest.raises(EngineFailed, match="the pool is closed"):
        waiting.result(TIMEOUT_S)
    roster.add("late")
    assert roster.actors() == []


def test_no_unit_begins_while_all_are_held(threads):
    roster = places_with("a")

    def take():
        with roster.take(alone=False) as member:
            return member.actor

    with roster.hold():
        waiting = threads.submit(take)
        roster.expect()
        roster.add("b")  # an actor that opens meanwhile is also held
        assert [member.actor for member in roster.members()] == ["a", "b"]
        assert not waiting.done()
    assert waiting.result(TIMEOUT_S) in ("a", "b")


def test_nothing_is_held_while_a_unit_is_at_work():
    roster = places_with("a", "b")
    at_work = roster.take(alone=False)
    with at_work, pytest.raises(ValueError, match="got some on 1 actors"), roster.hold():
        pass
    with roster.hold():
        assert len(roster.actors()) == 2
