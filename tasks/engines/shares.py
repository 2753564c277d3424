"""Time shared among concurrent units of work, to measure the cost of each."""

import time
from collections.abc import Callable


class TimeShares:
    """Divides a clock's time: while k units are in progress, each gets 1/k of it.

    So the shares of all units add up to the time in which any was in progress. Not thread-safe.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing in progress; `clock` counts seconds and never goes back."""
        self._clock = clock
        self._num_running = 0
        self._last_change = 0.0
        self._share = 0.0
        """The share of a unit that was in progress all the time."""

    def begin(self) -> float:
        """Begin a unit; the value to pass to `end`."""
        self._advance()
        self._num_running += 1
        return self._share

    def end(self, begun: float) -> float:
        """End a unit; its share in seconds."""
        self._advance()
        self._num_running -= 1
        return self._share - begun

    def _advance(self) -> None:
        now = self._clock()
        if self._num_running:
            self._share += (now - self._last_change) / self._num_running
        self._last_change = now
