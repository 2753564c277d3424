"""An interpreter in the sandbox that forks each program into namespaces of its own.

Started once by bubblewrap, where it alone may make namespaces; `tasks/sandbox/warm.py` asks. It
never holds a program or a test: a request is a few numbers and descriptors, and what they hold is
read by the forked process after it has lost every right. Per request:

* a keeper, which ends the program if the other side lets go of the leash, and says how it ended
  when all its processes are gone;
* the first process of a new process namespace, with a /proc and a /tmp of its own, without network,
  without shared memory; its end is the end of every process in it;
* the program, as a user of its own, without capabilities and privileges to gain, with its limits.
"""

# ruff: noqa: PTH123, SIM115

import ast  # noqa: F401
import atexit
import bisect  # noqa: F401
import collections  # noqa: F401
import contextlib
import copy  # noqa: F401
import ctypes
import datetime  # noqa: F401
import fractions  # noqa: F401
import functools  # noqa: F401
import gc
import hashlib  # noqa: F401
import heapq  # noqa: F401
import importlib
import io
import itertools  # noqa: F401
import json
import linecache
import math  # noqa: F401
import operator  # noqa: F401
import os
import random  # noqa: F401
import re  # noqa: F401
import resource
import select
import signal
import socket
import statistics  # noqa: F401
import string  # noqa: F401
import sys
import threading
import traceback
import types
import typing  # noqa: F401

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_MOUNTS, _NEW_HOST_NAME, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PROCESSES, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_APART = _NEW_MOUNTS | _NEW_HOST_NAME | _NEW_IPC | _NEW_PROCESSES | _NEW_NETWORK
_NOSUID, _NODEV, _NOEXEC, _RECURSIVE, _PRIVATE = 2, 4, 8, 1 << 14, 1 << 18
_SET_DUMPABLE, _DROP_BOUNDING, _NO_NEW_PRIVILEGES = 4, 24, 38
_CAPABILITY_VERSION = 0x20080522
_FIRST_FREE = 512
_Code = types.CodeType | None


def main() -> None:
    """Answer requests until the other side is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    as_root = sys.argv[2] == "root"
    _drop_bounding()
    _check(_LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    sys.path.insert(0, "/harness")
    for path in sys.argv[4:]:
        importlib.import_module(path.removeprefix("/harness/")[:-3].replace("/", "."))
    code = None
    for script in sys.argv[3:4]:
        with open(script) as file:
            code = compile(file.read(), script, "exec")
    gc.freeze()
    control.send(b"ready")
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 64)
        if not request:
            os._exit(0)
        keeper = os.fork()
        if keeper == 0:
            control.close()
            _keep(json.loads(request), descriptors, code, as_root)
        for descriptor in descriptors:
            os.close(descriptor)
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _keep(job: dict, descriptors: list, code: _Code, as_root: bool) -> None:
    """Start the program's namespaces, wait for their end, and say how it was."""
    status, leash, *theirs = descriptors
    try:
        _check(_LIBC.prctl(_SET_DUMPABLE, 0, 0, 0, 0))
        _check(_LIBC.unshare(_APART))
        first = os.fork()
        if first == 0:
            os.close(leash)
            _begin(job, status, theirs, code, as_root)
        for descriptor in theirs:
            os.close(descriptor)
        ended = os.pidfd_open(first)
        poll = select.poll()
        poll.register(leash, select.POLLIN)
        poll.register(ended, select.POLLIN)
        if not any(descriptor == ended for descriptor, _ in poll.poll()):
            os.kill(first, signal.SIGKILL)
        ended_by = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        said = {"killed": True} if ended_by < 0 else {"code": ended_by}
        os.write(status, json.dumps(said).encode())
    except BaseException as error:
        _say_fault(status, error)
    os._exit(0)


def _begin(job: dict, status: int, theirs: list, code: _Code, as_root: bool) -> None:
    """Be the first process: mount, fork the program, and pass on its exit status."""
    try:
        os.setsid()
        _mount(None, "/", None, _RECURSIVE | _PRIVATE, None)
        _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC, None)
        _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={job['tmp_bytes']}")
        program = os.fork()
        if program == 0:
            _become(job, status, theirs, code, as_root)
        os.closerange(0, _FIRST_FREE)
        _drop_capabilities()
        while True:
            ended, how = os.wait()
            if ended == program:
                ended_by = os.waitstatus_to_exitcode(how)
                os._exit(ended_by if ended_by >= 0 else 128 - ended_by)
    except BaseException as error:
        _say_fault(status, error)
    os._exit(0)


def _become(job: dict, status: int, theirs: list, code: _Code, as_root: bool) -> None:
    """Lose every right, and run."""
    try:
        os.setsid()
        user = job["user"]
        if as_root:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        else:
            mapped = (os.getuid(), os.getgid())
            _check(_LIBC.unshare(_NEW_USER))
            _check(_LIBC.prctl(_SET_DUMPABLE, 1, 0, 0, 0))
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {mapped[0]} 1"),
                ("gid_map", f"{user} {mapped[1]} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
            _drop_bounding()
        _drop_capabilities()
        _check(_LIBC.prctl(_SET_DUMPABLE, 1, 0, 0, 0))
        os.chdir("/tmp")
        moved = [os.dup2(each, _FIRST_FREE + place) for place, each in enumerate(theirs)]
        status = os.dup2(status, _FIRST_FREE + len(moved))
        os.closerange(0, _FIRST_FREE)
        for place, each in enumerate(moved):
            os.dup2(each, place)
            os.close(each)
        for name, (soft, hard) in job["limits"].items():
            resource.setrlimit(getattr(resource, name), (soft, hard))
        sys.argv = job["arguments"]
        _open_standard_files()
        os.close(status)
    except BaseException as error:
        _say_fault(status, error)
        os._exit(0)
    _run(code)


def _run(code: _Code) -> None:
    """Run a script of this side, or the text that the descriptor 3 holds, to its end."""
    main_module = types.ModuleType("__main__")
    sys.modules["__main__"] = main_module
    status = 0
    try:
        if code is None:
            with open(3, "rb") as file:
                text = file.read()
            _remember_lines(text)
            code = compile(text, "/program.py", "exec")
        exec(code, main_module.__dict__)
    except SystemExit as error:
        status = _exit_status(error.code)
    except BaseException as error:
        status = 1
        _print_error(error)
    try:
        threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
        atexit._run_exitfuncs()
        for file in (sys.stdout, sys.stderr):
            if file is not None and not file.closed:
                file.flush()
    except BaseException:
        status = status or 120
    os._exit(status)


def _exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _print_error(error: BaseException) -> None:
    """The traceback as the interpreter prints it, from the program's own first frame."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    try:
        traceback.print_exception(type(error), error, frames)
    except BaseException:
        sys.stderr.write(f"{type(error).__name__}\n")


def _remember_lines(text: bytes) -> None:
    lines = text.decode(errors="replace").splitlines(keepends=True)
    linecache.cache["/program.py"] = (len(text), None, lines, "/program.py")


def _open_standard_files() -> None:
    for name, number, mode in (("stdin", 0, "rb"), ("stdout", 1, "wb"), ("stderr", 2, "wb")):
        file = io.TextIOWrapper(
            open(number, mode, closefd=False),
            encoding="utf-8",
            errors="backslashreplace" if number == 2 else "surrogateescape",
            line_buffering=number == 2,
        )
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)


def _drop_bounding() -> None:
    for capability in range(64):
        if _LIBC.prctl(_DROP_BOUNDING, capability, 0, 0, 0) != 0:
            break


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _check(_LIBC.capset(header, (ctypes.c_uint32 * 6)()))


def _mount(source: str | None, place: str, kind: str | None, flags: int, data: str | None) -> None:
    texts = [None if text is None else text.encode() for text in (source, place, kind, data)]
    _check(_LIBC.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _say_fault(status: int, error: BaseException) -> None:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said = f"{type(error).__name__}: {error} (line {frame.lineno} of {frame.name})"
    with contextlib.suppress(OSError):
        os.write(status, json.dumps({"fault": said}).encode() + b"\n")


main()
