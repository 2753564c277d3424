"""Warm interpreters: one for each set of files, in a sandbox, which forks a process per program.

Starting bubblewrap and Python takes some 40 ms of a processor, forking into namespaces of its own
a tenth of that. What the programs can see and do is the same (`tasks/sandbox/inside/forker.py`).
Where a warm interpreter may not make namespaces, bubblewrap is started for each program instead.
"""

import atexit
import contextlib
import functools
import json
import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tasks.sandbox.bubblewrap import forker_line, next_user
from tasks.sandbox.limits import Limits
from tasks.sandbox.processes import ForkedProcess

_FORKER = "/forker.py"
_START_S = 60.0
_END_S = 5.0


class WarmInterpreter:
    """An interpreter in the sandbox, and the socket on which it is asked to fork."""

    def __init__(self, files: Mapping[str, str], *, with_packages: bool) -> None:
        """Start it, and let it fork once.

        Args:
            files: from a path inside to a text of ours: the script that forked processes run, then
                modules below `/harness` that it imports. Without any they run the program that
                they are given.
            with_packages: see `tasks.sandbox.run.start`.

        Raises:
            OSError: it cannot be started, or may not make namespaces.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        kind = "root" if os.geteuid() == 0 else "user"
        arguments = [_FORKER, str(theirs.fileno()), kind, *files]
        with contextlib.ExitStack() as stack:
            stack.callback(theirs.close)
            inside = {
                path: stack.enter_context(held_text(text))
                for path, text in {_FORKER: _forker_text(), **files}.items()
            }
            self._process = subprocess.Popen(
                forker_line(arguments, files=inside, with_packages=with_packages),
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno(), *inside.values()],
                start_new_session=True,
            )
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        self._socket.settimeout(_START_S)
        if self._socket.recv(16) != b"ready":
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode(errors="replace").strip()
            raise OSError(f"expected a warm interpreter in the sandbox, got {said[-300:]}")
        self._socket.settimeout(None)
        with held_text("") as nothing:
            first = self.fork([], Limits(), descriptors=[0, 1, 2, nothing])
        is_well = first.wait(_START_S) and first.was_started
        first.kill()
        first.close()
        if not is_well:
            raise OSError(f"expected namespaces of its own for a program, got {first.fault}")

    def fork(
        self,
        arguments: Sequence[str],
        limits: Limits,
        *,
        descriptors: Sequence[int],
        pipes: Mapping[str, IO[bytes] | None] | None = None,
    ) -> ForkedProcess:
        """Fork a process that runs the script, or the program behind the descriptor 3.

        Args:
            arguments: `sys.argv`.
            limits: what it may use.
            descriptors: its descriptors 0, 1, 2, 3, ...
            pipes: our ends of those that are pipes.

        Raises:
            OSError: the interpreter is gone.
        """
        request = {
            "arguments": list(arguments),
            "user": next_user(),
            "tmp_bytes": limits.file_mb << 20,
            "limits": {f"RLIMIT_{k.upper()}": pair for k, pair in limits.resources.items()},
        }
        status, their_status = os.pipe()
        their_leash, leash = os.pipe()
        try:
            socket.send_fds(
                self._socket,
                [json.dumps(request).encode()],
                [their_status, their_leash, *descriptors],
            )
        except BaseException:
            os.close(status)
            os.close(leash)
            raise
        finally:
            os.close(their_status)
            os.close(their_leash)
        return ForkedProcess(status, leash, pipes or {})

    @property
    def is_running(self) -> bool:
        """Whether it still answers."""
        return self._process.poll() is None

    @property
    def process_id(self) -> int:
        """The process of its bubblewrap."""
        return self._process.pid

    def close(self) -> None:
        """End it with every program that it forked."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._process.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def forget(self) -> None:
        """Close our side of a parent's interpreter, in a process that was forked."""
        self._socket.close()


@contextlib.contextmanager
def held_text(text: str | bytes):
    """A descriptor that a text is read from, as long as the block lasts."""
    descriptor = os.memfd_create("file")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(text.encode(errors="replace") if isinstance(text, str) else text)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


_Key = tuple[tuple[tuple[str, str], ...], bool]
_lock = threading.Lock()
_running: dict[_Key, WarmInterpreter | None] = {}


def warm_interpreter(
    files: Mapping[str, str], *, with_packages: bool = False
) -> WarmInterpreter | None:
    """The interpreter of this process for these files; None where none can be had."""
    key = (tuple(files.items()), with_packages)
    with _lock:
        held = _running.get(key)
        if key in _running and (held is None or held.is_running):
            return held
        if held is not None:
            held.close()
        try:
            _running[key] = WarmInterpreter(files, with_packages=with_packages)
        except OSError:
            _running[key] = None
        return _running[key]


@atexit.register
def close_all() -> None:
    """End every interpreter of this process; the next program starts one again."""
    with _lock:
        for held in _running.values():
            if held is not None:
                held.close()
        _running.clear()


def _forget_all() -> None:
    global _lock
    _lock = threading.Lock()
    for held in _running.values():
        if held is not None:
            held.forget()
    _running.clear()


os.register_at_fork(after_in_child=_forget_all)


@functools.cache
def _forker_text() -> str:
    return (Path(__file__).parent / "inside" / "forker.py").read_text()
