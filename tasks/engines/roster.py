"""Which actors are open and how busy each is. Independent of Ray; waits without polling.

An actor is expected while it is being opened, then open until it is lost. A unit goes to the least
busy open actor, and waits while all are full.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.errors import EngineFailed

_STRAGGLERS_S = 10.0
"""The other actors get twice the time that the first one took to open, plus this."""


@dataclass(eq=False, slots=True)
class Member:
    """An open actor."""

    actor: Any
    load: int = 0
    """Units in progress on it; one that must be alone takes up all its room."""


class Roster:
    """The open actors of a pool. Thread-safe."""

    def __init__(self, *, units_in_flight: int, timeout_s: float) -> None:
        """Begin without actors.

        Args:
            units_in_flight: units that an actor runs at once.
            timeout_s: how long to wait while no actor is open.
        """
        self._room, self._timeout_s = units_in_flight, timeout_s
        self._open: list[Member] = []
        self._num_expected = 0
        self._failure: Exception | None = None
        self._is_closed = self._is_held = False
        self._changed = threading.Condition()

    def expect(self) -> None:
        """Note that an actor is being opened."""
        with self._changed:
            self._num_expected += 1

    def add(self, actor: Any) -> None:
        """Note that an expected actor is open."""
        with self._changed:
            self._num_expected -= 1
            if not self._is_closed:
                self._open.append(Member(actor))
            self._changed.notify_all()

    def give_up(self, error: Exception) -> None:
        """Note that an expected actor could not be opened, and why."""
        with self._changed:
            self._num_expected -= 1
            self._failure = error
            self._changed.notify_all()

    def remove(self, member: Member) -> bool:
        """Remove a lost actor; False if an earlier call removed it."""
        with self._changed:
            was_open = member in self._open
            if was_open:
                self._open.remove(member)
            self._changed.notify_all()
            return was_open

    def close(self) -> None:
        """Remove all; every present or later wait for an actor raises EngineFailed."""
        with self._changed:
            self._open, self._is_closed = [], True
            self._changed.notify_all()

    def actors(self) -> list[Any]:
        """The open actors."""
        with self._changed:
            return [member.actor for member in self._open]

    def members(self) -> list[Member]:
        """The open actors, with how busy each is."""
        with self._changed:
            return list(self._open)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Let no unit begin while the block runs.

        Raises:
            ValueError: units are in progress.
        """
        with self._changed:
            num_busy = sum(member.load > 0 for member in self._open)
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
        """Wait until all expected actors are open, or one could not be opened.

        Once one is open, the others get limited extra time; this does not wait for those that take
        longer, since the cluster may not have room for them yet.

        Raises:
            EngineFailed: none was open in time.
            Exception: why one could not be opened.
        """
        begun = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._failure, self._timeout_s)
            if self._open:
                longer_s = time.monotonic() - begun + _STRAGGLERS_S
                self._changed.wait_for(lambda: self._failure or not self._num_expected, longer_s)
            if self._failure is not None:
                raise self._failure
            if not self._open:
                raise EngineFailed(self._describe_waiting())

    @contextlib.contextmanager
    def take(self, *, alone: bool) -> Iterator[Member]:
        """An open actor for one unit, while the block runs.

        Args:
            alone: with no other unit beside it; those in progress there end first.

        Raises:
            EngineFailed: no actor is open or expected, or none was open for `timeout_s`.
        """
        load = self._room if alone else 1
        with self._changed:
            while True:
                member = self._wait_for_room()
                member.load += load  # with `alone` it is full: no unit joins
                while alone and member.load > load and member in self._open:
                    self._changed.wait()
                if member in self._open:
                    break
                member.load -= load
        try:
            yield member
        finally:
            with self._changed:
                member.load -= load
                self._changed.notify_all()

    def _wait_for_room(self) -> Member:
        while True:
            if self._is_closed:
                raise EngineFailed("the pool is closed")
            if not self._open and not self._num_expected:
                raise EngineFailed(f"no actor is left: {self._failure}") from self._failure
            has_room = [member for member in self._open if member.load < self._room]
            if has_room and not self._is_held:
                return min(has_room, key=lambda member: member.load)
            if not self._changed.wait(self._timeout_s) and not self._open:
                raise EngineFailed(self._describe_waiting())

    def _describe_waiting(self) -> str:
        if self._is_closed:
            return "the pool is closed"
        return (
            f"no actor was open for {self._timeout_s:g} s (pool.timeout_s): the cluster has "
            "no room for one, which `ray status` shows, or its engines take longer to open"
        )
