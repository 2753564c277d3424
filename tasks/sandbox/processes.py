"""A process in the sandbox, started by bubblewrap for itself or forked by a warm interpreter."""

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Mapping
from typing import IO, Protocol


class Process(Protocol):
    """What can be done with a process in the sandbox, however it was started."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until all of it has ended; False if that takes longer."""
        ...

    def kill(self) -> None:
        """End it with all that it started, and wait for that; no error if it ended before."""
        ...

    def close(self) -> None:
        """Give back what it held; after `kill`."""
        ...

    @property
    def exit_code(self) -> int | None:
        """The status of a program that ended by itself; None if it never began, or was killed."""
        ...

    @property
    def was_started(self) -> bool:
        """Whether its namespaces were made; after it ended."""
        ...


class BubblewrapProcess:
    """A process with a bubblewrap of its own."""

    def __init__(self, process: subprocess.Popen[bytes], status: int) -> None:
        """Take a started bubblewrap, and the descriptor to which it says how it goes on."""
        self._process = process
        self._status = status
        self._said = b""
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for its end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
            return True
        return False

    def kill(self) -> None:
        """End bubblewrap, and with it everything in its namespaces."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close what bubblewrap says."""
        os.close(self._status)

    @property
    def exit_code(self) -> int | None:
        """See `Process`."""
        self._process.wait()
        self._read()
        return self._process.returncode if b'"exit-code"' in self._said else None

    @property
    def was_started(self) -> bool:
        """See `Process`."""
        return self.exit_code is not None or b'"child-pid"' in self._said

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while piece := os.read(self._status, 4096):
                self._said += piece


class ForkedProcess:
    """A process that a warm interpreter forked."""

    def __init__(self, status: int, leash: int, pipes: Mapping[str, IO[bytes] | None]) -> None:
        """Take the ends of a request's descriptors.

        Args:
            status: says how it ended, and is closed when all its processes are gone.
            leash: whose closing ends it.
            pipes: our ends of `stdin`, `stdout` and `stderr`, where they are pipes.
        """
        self._status, self._leash = status, leash
        self._said, self._has_ended = b"", False
        self.stdin, self.stdout, self.stderr = (
            pipes.get(name) for name in ("stdin", "stdout", "stderr")
        )

    def wait(self, timeout_s: float | None = None) -> bool:
        """Read how it ended."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._has_ended:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._status], [], [], left)[0]:
                return False
            piece = os.read(self._status, 4096)
            self._said += piece
            self._has_ended = not piece
        return True

    def kill(self) -> None:
        """Let go of the leash."""
        if self._leash >= 0:
            os.close(self._leash)
            self._leash = -1
        self.wait()

    def close(self) -> None:
        """Close what says how it ended."""
        os.close(self._status)

    @property
    def exit_code(self) -> int | None:
        """See `Process`."""
        self.wait()
        return None if self.fault is not None else self._last().get("code")

    @property
    def was_started(self) -> bool:
        """See `Process`."""
        self.wait()
        return self.fault is None and bool(self._said)

    @property
    def fault(self) -> str | None:
        """Why its namespaces could not be made; None if they were."""
        return next((line["fault"] for line in self._lines() if "fault" in line), None)

    def _last(self) -> dict:
        lines = self._lines()
        return lines[-1] if lines else {}

    def _lines(self) -> list[dict]:
        return [json.loads(line) for line in self._said.splitlines()]
