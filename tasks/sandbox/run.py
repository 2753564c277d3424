"""One program in the sandbox: its input, what it wrote, and how it ended."""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Literal

from tasks.sandbox.bubblewrap import PYTHON, command_line
from tasks.sandbox.limits import Limits
from tasks.sandbox.processes import BubblewrapProcess, ForkedProcess, Process
from tasks.sandbox.warm import WarmInterpreter, held_text, warm_interpreter

Outcome = Literal["exited", "timeout", "memory", "output", "sandbox_down"]
"""`exited` by itself or by a signal; `sandbox_down` was never started."""

_TEXT = "/program.py"
_FOURTH = "/proc/self/fd/3"
_STANDARD = ("stdin", "stdout", "stderr")
_TRIES = 2
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

    def __init__(self, process: Process, limits: Limits) -> None:
        """Take a process that was just started."""
        self._process = process
        self._limits = limits
        self._began = time.monotonic()

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

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; False if that takes longer."""
        return self._process.wait(timeout_s)

    @property
    def exit_code(self) -> int | None:
        """The status of a program that ended by itself; None if it never began, or was killed."""
        return self._process.exit_code

    @property
    def was_started(self) -> bool:
        """Whether its namespaces were made; after it ended."""
        return self._process.was_started

    def kill(self) -> None:
        """End it with all its processes, and wait for that; no error if it ended before."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def close(self) -> None:
        """End it and give back what it held."""
        self.kill()
        self._process.close()

    def _exchange(self, stdin: memoryview) -> tuple[dict[str, bytearray], Outcome | None]:
        written = {"stdout": bytearray(), "stderr": bytearray()}
        deadline = self._began + self._limits.deadline_s
        with selectors.DefaultSelector() as selector:
            for name in written:
                if (pipe := getattr(self._process, name)) is not None:
                    selector.register(pipe, selectors.EVENT_READ, name)
            if (pipe := self._process.stdin) is not None:
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
        has_ended = self._process.wait(max(0.0, deadline - time.monotonic()))
        return written, None if has_ended else "timeout"

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
    folders: Mapping[str, str] | None = None,
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
        folders: from an absolute path inside to a folder of this machine that it can only read.
        stdin: a descriptor, or what `subprocess` takes for one; so are `stdout` and `stderr`.
        stdout: see `stdin`.
        stderr: see `stdin`.
        with_packages: whether the installed Python packages are readable, at `/packages`.

    Raises:
        OSError: bubblewrap is not there.
    """
    limits = limits or Limits()
    read_end, write_end = os.pipe()
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, write_end)
            inside = {
                path: stack.enter_context(held_text(content))
                for path, content in (files or {}).items()
            }
            process = subprocess.Popen(
                command_line(
                    command,
                    limits,
                    files=inside,
                    folders=folders,
                    with_packages=with_packages,
                    status_fd=write_end,
                ),
                env={},
                cwd="/",
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[write_end, *inside.values()],
                start_new_session=True,
            )
    except BaseException:
        os.close(read_end)
        raise
    return Running(BubblewrapProcess(process, read_end), limits)


def start_script(
    text: str | bytes,
    *,
    files: Mapping[str, str],
    limits: Limits | None = None,
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    with_packages: bool = False,
) -> Running:
    """Start a Python program in the sandbox, from a warm interpreter where there can be one.

    Args:
        text: the program; with `files` what their script reads at the path in its first argument.
        files: a script of ours by its path inside, then the modules below `/harness` that it
            imports; an interpreter is kept for each such set. Empty for a program alone.
        limits: what it may use; None for the defaults.
        stdin: see `start`; so are `stdout` and `stderr`.
        stdout: see `stdin`.
        stderr: see `stdin`.
        with_packages: see `start`.

    Raises:
        OSError: bubblewrap is not there.
    """
    limits = limits or Limits()
    for _ in range(_TRIES):
        warm = warm_interpreter(files, with_packages=with_packages)
        if warm is None:
            break
        with contextlib.suppress(BrokenPipeError, ConnectionResetError), held_text(text) as held:
            arguments = [next(iter(files)), _FOURTH] if files else [_TEXT]
            process = _fork(warm, arguments, held, limits, (stdin, stdout, stderr))
            return Running(process, limits)
    return start(
        [PYTHON, "-I", "-S", *list(files)[:1], _TEXT],
        limits=limits,
        files={**files, _TEXT: text},
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        with_packages=with_packages,
    )


def run_command(
    command: Sequence[str],
    *,
    stdin: str | bytes = b"",
    files: Mapping[str, str | bytes] | None = None,
    folders: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    with_packages: bool = False,
) -> Finished:
    """Run a command in the sandbox to its end; from any thread. Arguments as of `start`."""
    try:
        running = start(
            command, limits=limits, files=files, folders=folders, with_packages=with_packages
        )
    except OSError as error:
        return Finished("sandbox_down", None, b"", str(error).encode(), 0.0)
    try:
        return running.communicate(stdin.encode() if isinstance(stdin, str) else stdin)
    finally:
        running.close()


def run_python(source: str, *, stdin: str | bytes = b"", limits: Limits | None = None) -> Finished:
    """Run the text of a Python program, which can use the standard library, to its end."""
    try:
        running = start_script(source.encode(errors="replace"), files={}, limits=limits)
    except OSError as error:
        return Finished("sandbox_down", None, b"", str(error).encode(), 0.0)
    try:
        return running.communicate(stdin.encode() if isinstance(stdin, str) else stdin)
    finally:
        running.close()


def _fork(
    warm: WarmInterpreter,
    arguments: list[str],
    text: int,
    limits: Limits,
    wanted: tuple[int, int, int],
) -> ForkedProcess:
    """Fork with the standard files that are wanted, each a descriptor, PIPE or DEVNULL."""
    theirs: list[int] = []
    ours: dict[str, IO[bytes] | None] = dict.fromkeys(_STANDARD)
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as kept:
        for name, each in zip(_STANDARD, wanted, strict=True):
            if each == subprocess.PIPE:
                ends = os.pipe()
                read_end, write_end = ends
                mine, other = (write_end, read_end) if name == "stdin" else ends
                mode = "wb" if name == "stdin" else "rb"
                ours[name] = kept.enter_context(open(mine, mode, buffering=0))  # noqa: PTH123
                stack.callback(os.close, other)
                theirs.append(other)
            elif each == subprocess.DEVNULL:
                theirs.append(os.open(os.devnull, os.O_RDWR))
                stack.callback(os.close, theirs[-1])
            else:
                theirs.append(each)
        process = warm.fork(arguments, limits, descriptors=[*theirs, text], pipes=ours)
        kept.pop_all()
    return process


def _lacked_memory(stderr: bytes | bytearray) -> bool:
    lines = bytes(stderr).decode(errors="replace").strip().splitlines()
    return bool(lines) and lines[-1].startswith("MemoryError")
