"""One program in the sandbox: its input, what it wrote, and how it ended."""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.sandbox.bubblewrap import PYTHON, command_line
from tasks.sandbox.limits import Limits

Outcome = Literal["exited", "timeout", "memory", "output", "sandbox_down"]
"""`exited` by itself or by a signal; `sandbox_down` was never started."""

_CPU_SIGNALS = (128 + 24, 128 + 9)
"""Exit status after SIGXCPU, and after the SIGKILL a second later."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    outcome: Outcome
    exit_code: int | None
    """Its status, 128 + the signal if one ended it; None unless it exited."""
    stdout: bytes
    stderr: bytes
    """What it wrote, at most the limit; of `sandbox_down`, what bubblewrap said."""
    seconds: float


class Running:
    """A program that was started in the sandbox."""

    def __init__(self, process: subprocess.Popen[bytes], status: int, limits: Limits) -> None:
        self.process = process
        self._status = status
        self._limits = limits
        self._began = time.monotonic()
        self._said = b""

    def communicate(self, stdin: bytes = b"") -> Finished:
        """Give it its input, gather what it writes, and end everything that it started."""
        try:
            written, fault = self._exchange(memoryview(stdin))
        finally:
            self.kill()
        code = self.exit_code
        outcome: Outcome = fault or "exited"
        if fault is None and code is None:
            outcome = "sandbox_down"
        elif fault is None and code in _CPU_SIGNALS:
            outcome = "timeout"
        elif fault is None and code != 0 and _lacked_memory(written["stderr"]):
            outcome = "memory"
        return Finished(
            outcome,
            code if outcome == "exited" else None,
            bytes(written["stdout"]),
            bytes(written["stderr"]),
            time.monotonic() - self._began,
        )

    @property
    def exit_code(self) -> int | None:
        """The status of a program that ended by itself; None if it never began, or was killed."""
        self.process.wait()
        with contextlib.suppress(OSError):
            while piece := os.read(self._status, 4096):
                self._said += piece
        is_ended = b'"exit-code"' in self._said
        return self.process.returncode if is_ended else None

    @property
    def was_started(self) -> bool:
        """Whether bubblewrap made its namespaces; after it ended."""
        return self.exit_code is not None or b'"child-pid"' in self._said

    def kill(self) -> None:
        """End it with all its processes, and wait for that; no error if it ended before."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def close(self) -> None:
        """End it and give back what it held."""
        self.kill()
        os.close(self._status)

    def _exchange(self, stdin: memoryview) -> tuple[dict[str, bytearray], Outcome | None]:
        written = {"stdout": bytearray(), "stderr": bytearray()}
        deadline = self._began + self._limits.deadline_s
        with selectors.DefaultSelector() as selector:
            for name in written:
                if (pipe := getattr(self.process, name)) is not None:
                    selector.register(pipe, selectors.EVENT_READ, name)
            if (pipe := self.process.stdin) is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_WRITE, None)
            while selector.get_map():
                events = selector.select(deadline - time.monotonic())
                if time.monotonic() >= deadline:
                    return written, "timeout"
                for key, _ in events:
                    if key.data is None:
                        stdin = self._feed(selector, key.fileobj, stdin)
                    elif not (piece := os.read(key.fd, 65536)):
                        selector.unregister(key.fileobj)
                    else:
                        written[key.data] += piece
                        if len(written[key.data]) > self._limits.output_bytes:
                            del written[key.data][self._limits.output_bytes :]
                            return written, "output"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
            return written, None
        return written, "timeout"

    def _feed(self, selector: selectors.BaseSelector, pipe, stdin: memoryview) -> memoryview:
        try:
            stdin = stdin[os.write(pipe.fileno(), stdin[:65536]) :] if stdin else stdin
        except BlockingIOError:
            return stdin
        except BrokenPipeError:
            stdin = stdin[:0]
        if not stdin:
            selector.unregister(pipe)
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        return stdin


def start(
    command: Sequence[str],
    *,
    limits: Limits | None = None,
    files: Mapping[str, str | bytes] | None = None,
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    with_packages: bool = False,
) -> Running:
    """Start a command in the sandbox; the caller closes it.

    Args:
        command: program and arguments, by their paths inside.
        limits: what it may use; None for the defaults.
        files: from an absolute path inside to the content of a file that it can only read.
        stdin: a descriptor, or what `subprocess` takes for one; so are `stdout` and `stderr`.
        stdout: see `stdin`.
        stderr: see `stdin`.
        with_packages: whether the installed Python packages are readable, at `/packages`.

    Raises:
        OSError: bubblewrap is not there.
    """
    limits = limits or Limits()
    held: list[int] = []
    read_end, write_end = os.pipe()
    try:
        inside = {}
        for path, content in (files or {}).items():
            held.append(os.memfd_create("file"))
            with open(held[-1], "wb", closefd=False) as file:
                file.write(content.encode() if isinstance(content, str) else content)
            os.lseek(held[-1], 0, os.SEEK_SET)
            inside[path] = held[-1]
        line = command_line(
            command, limits, files=inside, with_packages=with_packages, status_fd=write_end
        )
        process = subprocess.Popen(
            line,
            env={},
            cwd="/",
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=[write_end, *held],
            start_new_session=True,
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        for descriptor in (write_end, *held):
            os.close(descriptor)
    return Running(process, read_end, limits)


def run_command(
    command: Sequence[str],
    *,
    stdin: str | bytes = b"",
    files: Mapping[str, str | bytes] | None = None,
    limits: Limits | None = None,
    with_packages: bool = False,
) -> Finished:
    """Run a command in the sandbox to its end; from any thread. Arguments as of `start`."""
    try:
        running = start(command, limits=limits, files=files, with_packages=with_packages)
    except OSError as error:
        return Finished("sandbox_down", None, b"", str(error).encode(), 0.0)
    try:
        return running.communicate(stdin.encode() if isinstance(stdin, str) else stdin)
    finally:
        running.close()


def run_python(source: str, *, stdin: str | bytes = b"", limits: Limits | None = None) -> Finished:
    """Run the text of a Python program, which can use the standard library, to its end."""
    return run_command(
        [PYTHON, "-I", "-S", "/program.py"],
        files={"/program.py": source.encode(errors="replace")},
        stdin=stdin,
        limits=limits,
    )


def _lacked_memory(stderr: bytes | bytearray) -> bool:
    lines = bytes(stderr).decode(errors="replace").strip().splitlines()
    return bool(lines) and lines[-1].startswith("MemoryError")
