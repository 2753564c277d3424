"""Processes that run Math-Verify, started when first needed, replaced when they die.

Math-Verify limits its time with SIGALRM, which only a program's main thread may use, and a power
tower or a factorial cannot be stopped from inside the interpreter at all. So it runs in processes
of its own (`math_worker`), which any thread can query over pipes.
"""

import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WORKER = Path(__file__).with_name("math_worker.py")
_START_LIMIT_S = 120.0
_WALL_FACTOR = 15
"""Wall seconds allowed per processor second, for a busy machine."""
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of examining one or two answers."""

    equal: bool | None
    """None if a limit was hit; False for a single answer."""
    parsed: tuple[bool, ...]
    """Whether each answer is mathematics at all; True if a limit kept it from being found out."""


class MathPool:
    """At most `num_processes` workers; the most recently used one is reused first."""

    def __init__(self, *, num_processes: int, timeout_s: float, memory_mb: int) -> None:
        self._slots = threading.BoundedSemaphore(num_processes)
        self._idle: deque[_MathProcess] = deque()
        self._timeout_s = timeout_s
        self._memory_bytes = memory_mb * 2**20

    def ask(self, *answers: str) -> Comparison:
        """Parse one or two answers and compare two.

        Raises:
            RuntimeError: the worker cannot be started.
        """
        with self._slots:
            try:
                process = self._idle.pop()
            except IndexError:
                process = _MathProcess(self._timeout_s, self._memory_bytes)
            try:
                return process.ask(answers)
            finally:
                self._idle.append(process)

    def close(self) -> None:
        """End the idle workers."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    @property
    def process_ids(self) -> list[int]:
        """Supervisors of the idle workers that are running."""
        return [process.pid for process in self._idle if process.pid is not None]


class _MathProcess:
    """One supervisor, its child and the pipes to them."""

    def __init__(self, timeout_s: float, memory_bytes: int) -> None:
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._ids = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def ask(self, answers: tuple[str, ...]) -> Comparison:
        """Send a request, and once more if something else ended the worker meanwhile."""
        undecided = Comparison(None, (True,) * len(answers))
        for _ in range(_ATTEMPTS):
            if self._process is None:
                self._start()
            request_id = next(self._ids)
            reply = self._exchange(request_id, answers)
            if reply is None:
                self.close()
            elif reply.get("ended_by") == signal.SIGPROF:
                return undecided
            elif "ended_by" not in reply:
                return Comparison(reply["equal"], tuple(reply["parsed"]))
        return undecided

    def close(self) -> None:
        if self._process is not None:
            self._finalizer()
            self._process = None

    def _start(self) -> None:
        command = [sys.executable, "-P", str(_WORKER)]
        self._process = subprocess.Popen(
            [*command, str(self._timeout_s), str(self._memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # supervisor and child are ended together
        )
        self._pending = b""
        self._finalizer = weakref.finalize(self, _end, self._process)
        reply = self._read(0, _START_LIMIT_S)
        if reply is None or "error" in reply:
            self.close()
            reason = reply["error"] if reply is not None else f"no sign of it ({command})"
            raise RuntimeError(f"expected the Math-Verify process to start, got: {reason}")

    def _exchange(self, request_id: int, answers: tuple[str, ...]) -> dict[str, Any] | None:
        """The reply to one request, or None if the worker died or ran out of wall time."""
        assert self._process is not None
        assert self._process.stdin is not None
        request = json.dumps({"id": request_id, "answers": answers}).encode() + b"\n"
        try:
            self._process.stdin.write(request)
        except BrokenPipeError:
            return None
        return self._read(request_id, self._timeout_s * _WALL_FACTOR)

    def _read(self, request_id: int, limit_s: float) -> dict[str, Any] | None:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + limit_s
        while True:
            while b"\n" not in self._pending:
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0 or not poll.poll(remaining_s * 1000):
                    return None
                received = os.read(descriptor, 65536)
                if not received:
                    return None
                self._pending += received
            line, _, self._pending = self._pending.partition(b"\n")
            reply = json.loads(line)
            if reply["id"] == request_id:
                return reply


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
