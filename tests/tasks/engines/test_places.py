"""Units find open actors, alone where they must be; whoever waits in vain is told why."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from schemas.errors import EngineFailed, ModelUnusable
from tasks.engines.places import Places

PATIENCE_S = 20.0


def places_with(*actors, units_in_flight=2, patience_s=PATIENCE_S):
    places = Places(units_in_flight=units_in_flight, patience_s=patience_s)
    for actor in actors:
        places.expect()
        places.add(actor)
    return places


@pytest.fixture
def threads():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_the_actor_with_least_to_do_is_taken_first():
    places = places_with("a", "b")
    with places.take(alone=False) as first, places.take(alone=False) as second:
        assert {first.actor, second.actor} == {"a", "b"}
        with places.take(alone=False), places.take(alone=False):
            assert (first.load, second.load) == (2, 2)
    assert (first.load, second.load) == (0, 0)


def test_a_unit_waits_while_all_are_full(threads):
    places = places_with("a", units_in_flight=1)

    def take():
        with places.take(alone=False) as place:
            return place.actor

    with places.take(alone=False):
        waiting = threads.submit(take)
        assert not waiting.done()
    assert waiting.result(PATIENCE_S) == "a"


def test_a_unit_that_must_be_alone_waits_for_those_beside_it_and_lets_no_other_in(threads):
    places = places_with("a")
    order, leave = [], threading.Event()

    def take(name, alone):
        with places.take(alone=alone) as place:
            order.append((name, place.load))

    def stay():
        with places.take(alone=False) as place:
            here.set_result(place)
            leave.wait(PATIENCE_S)
            order.append(("first", None))

    here: Future = Future()
    staying = threads.submit(stay)
    place = here.result(PATIENCE_S)
    alone = threads.submit(take, "alone", True)
    deadline = time.monotonic() + PATIENCE_S
    while place.load < 3:  # one at work, and the lone one counts for two
        assert time.monotonic() < deadline
        leave.wait(0.01)
    later = threads.submit(take, "later", False)
    assert not alone.done()
    leave.set()
    for call in (staying, alone, later):
        call.result(PATIENCE_S)
    assert order == [("first", None), ("alone", 2), ("later", 1)]


def test_a_lost_actor_is_taken_away_once_and_a_lone_unit_finds_another(threads):
    places = places_with("a")
    with places.take(alone=False) as place:
        lone = threads.submit(lambda: places.take(alone=True).__enter__().actor)
        places.expect()
        assert places.remove(place)
        assert not places.remove(place)
        places.add("b")
        assert lone.result(PATIENCE_S) == "b"


def test_a_unit_waits_for_an_actor_that_is_expected(threads):
    places = places_with()
    places.expect()
    waiting = threads.submit(lambda: places.take(alone=False).__enter__().actor)
    places.add("late")
    assert waiting.result(PATIENCE_S) == "late"


def test_when_the_last_actor_is_given_up_whoever_waits_is_told_why(threads):
    places = places_with()
    places.expect()
    waiting = threads.submit(lambda: places.take(alone=False).__enter__())
    places.give_up(ModelUnusable("no such model"))
    with pytest.raises(EngineFailed, match="no actor is left: no such model"):
        waiting.result(PATIENCE_S)
    with pytest.raises(ModelUnusable, match="no such model"):
        places.wait_for_all()


def test_waiting_with_no_actor_open_ends_when_patience_does():
    places = places_with(patience_s=0.05)
    places.expect()
    for wait in (places.wait_for_all, places.take(alone=False).__enter__):
        with pytest.raises(EngineFailed, match=r"no actor was open for 0\.05 s"):
            wait()


def test_a_full_actor_is_waited_for_beyond_patience(threads):
    places = places_with("a", units_in_flight=1, patience_s=0.05)
    leave = threading.Event()

    def stay():
        with places.take(alone=False):
            leave.wait(PATIENCE_S)

    staying = threads.submit(stay)
    waiting = threads.submit(lambda: places.take(alone=False).__enter__().actor)
    with pytest.raises(TimeoutError):
        waiting.result(0.3)
    leave.set()
    assert waiting.result(PATIENCE_S) == "a"
    staying.result(PATIENCE_S)


def test_closing_sends_all_away(threads):
    places = places_with()
    places.expect()
    waiting = threads.submit(lambda: places.take(alone=False).__enter__())
    places.close()
    with pytest.raises(EngineFailed, match="the pool is closed"):
        waiting.result(PATIENCE_S)
    places.add("late")
    assert places.actors() == []


def test_no_unit_begins_while_all_are_held(threads):
    places = places_with("a")

    def take():
        with places.take(alone=False) as place:
            return place.actor

    with places.hold():
        waiting = threads.submit(take)
        places.expect()
        places.add("b")  # one that opens meanwhile is held too
        assert [place.actor for place in places.places()] == ["a", "b"]
        assert not waiting.done()
    assert waiting.result(PATIENCE_S) in ("a", "b")


def test_nothing_is_held_while_a_unit_is_at_work():
    places = places_with("a", "b")
    at_work = places.take(alone=False)
    with at_work, pytest.raises(ValueError, match="got some on 1 actors"), places.hold():
        pass
    with places.hold():
        assert len(places.actors()) == 2
