"""Which actors are open and how much each has to do. Knows nothing of Ray, waits without polling.

An actor is expected while it is being opened, then it is open, until it is lost. A unit takes a
place on the open actor that has least to do, and waits while all are full.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.errors import EngineFailed

_STRAGGLERS_S = 10.0
"""How much longer than the first actor took, and as long again, the others are waited for."""


@dataclass(eq=False, slots=True)
class Place:
    """An open actor."""

    actor: Any
    load: int = 0
    """Units it is in; one that is to be alone counts as all there is room for."""


class Places:
    """The open actors of a pool, for many threads."""

    def __init__(self, *, units_in_flight: int, patience_s: float) -> None:
        """Begin with none.

        Args:
            units_in_flight: how many units an actor may be in at once.
            patience_s: how long to wait while no actor is open.
        """
        self._room, self._patience_s = units_in_flight, patience_s
        self._open: list[Place] = []
        self._num_expected = 0
        self._failure: Exception | None = None
        self._is_closed = self._is_held = False
        self._changed = threading.Condition()

    def expect(self) -> None:
        """An actor is being opened."""
        with self._changed:
            self._num_expected += 1

    def add(self, actor: Any) -> None:
        """An actor that was expected is open."""
        with self._changed:
            self._num_expected -= 1
            if not self._is_closed:
                self._open.append(Place(actor))
            self._changed.notify_all()

    def give_up(self, error: Exception) -> None:
        """An actor that was expected will not come, and why."""
        with self._changed:
            self._num_expected -= 1
            self._failure = error
            self._changed.notify_all()

    def remove(self, place: Place) -> bool:
        """Take a lost actor away; whether this call did, and not another before it."""
        with self._changed:
            was_open = place in self._open
            if was_open:
                self._open.remove(place)
            self._changed.notify_all()
            return was_open

    def close(self) -> None:
        """Take all away; whoever waits for a place, now or later, gets EngineFailed."""
        with self._changed:
            self._open, self._is_closed = [], True
            self._changed.notify_all()

    def actors(self) -> list[Any]:
        """The open ones."""
        with self._changed:
            return [place.actor for place in self._open]

    def places(self) -> list[Place]:
        """The open ones, with what each has to do."""
        with self._changed:
            return list(self._open)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Let no unit begin while the block runs.

        Raises:
            ValueError: units are at work.
        """
        with self._changed:
            num_busy = sum(place.load > 0 for place in self._open)
            if num_busy:
                raise ValueError(f"expected no unit at work, got some on {num_busy} actors")
            self._is_held = True
        try:
            yield
        finally:
            with self._changed:
                self._is_held = False
                self._changed.notify_all()

    def wait_for_all(self) -> None:
        """Wait until all that are expected are open, or one is given up.

        Once one is open, the others may take as long again; those that need longer (there may be
        no room for them now) are not waited for.

        Raises:
            EngineFailed: none was open in time.
            Exception: why one was given up.
        """
        begun = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._failure, self._patience_s)
            if self._open:
                longer_s = time.monotonic() - begun + _STRAGGLERS_S
                self._changed.wait_for(lambda: self._failure or not self._num_expected, longer_s)
            if self._failure is not None:
                raise self._failure
            if not self._open:
                raise EngineFailed(self._describe_waiting())

    @contextlib.contextmanager
    def take(self, *, alone: bool) -> Iterator[Place]:
        """A place on an open actor for one unit, while the block runs.

        Args:
            alone: with no other unit beside it; those that are there end first.

        Raises:
            EngineFailed: no actor is open or expected, or none was open for `patience_s`.
        """
        load = self._room if alone else 1
        with self._changed:
            while True:
                place = self._wait_for_room()
                place.load += load  # with `alone` it is full now: nobody joins
                while alone and place.load > load and place in self._open:
                    self._changed.wait()
                if place in self._open:
                    break
                place.load -= load
        try:
            yield place
        finally:
            with self._changed:
                place.load -= load
                self._changed.notify_all()

    def _wait_for_room(self) -> Place:
        while True:
            if self._is_closed:
                raise EngineFailed("the pool is closed")
            if not self._open and not self._num_expected:
                raise EngineFailed(f"no actor is left: {self._failure}") from self._failure
            has_room = [place for place in self._open if place.load < self._room]
            if has_room and not self._is_held:
                return min(has_room, key=lambda place: place.load)
            if not self._changed.wait(self._patience_s) and not self._open:
                raise EngineFailed(self._describe_waiting())

    def _describe_waiting(self) -> str:
        if self._is_closed:
            return "the pool is closed"
        return (
            f"no actor was open for {self._patience_s:g} s (patience_s): the cluster has no room "
            "for one, which `ray status` shows, or its engines take longer to open"
        )
