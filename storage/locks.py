"""One lock per local store: shared by readers and commits, exclusive for `compact`.

It is a `flock` on the store's marker file, which a process holds until it releases it or dies.
Commits share it for the moment of a link, SQL connections for as long as they are open. `compact`
holds it exclusively for the moment in which it replaces a folder of small files by a folded one.

Locks are granted in no particular order, so a process that needs the exclusive lock could wait
forever while others share it in turn. Hence the gate, a `flock` on the root folder: every process
passes through it to get the lock, and one that needs the exclusive lock keeps the gate shut until
the others have released theirs.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import StoreUnusable

_LOOK_EVERY_S = 0.02
_GATE_SHUT_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds for which each attempt keeps others out; between attempts they get in."""


def share(marker: Path) -> int:
    """Share the lock until the returned descriptor is closed."""
    descriptor = os.open(marker, os.O_RDONLY | os.O_CLOEXEC)
    # A file system without locks cannot be compacted in place, so nothing can be in the way.
    with contextlib.suppress(OSError), _gate(marker, fcntl.LOCK_SH):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


@contextlib.contextmanager
def shared(marker: Path) -> Iterator[None]:
    """Share the lock for the block."""
    descriptor = share(marker)
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def alone(marker: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock exclusively for the block.

    Raises:
        StoreUnusable: others held it for longer than the timeout, or the file system has no locks.
    """
    descriptor = os.open(marker, os.O_RDONLY | os.O_CLOEXEC)
    deadline, tries = time.monotonic() + timeout_s, 0
    try:
        while not _takes_alone(marker, descriptor, _GATE_SHUT_S[min(tries, 4)]):
            tries += 1
            if time.monotonic() > deadline:
                raise StoreUnusable(
                    f"{marker.parent}: it has been read for {timeout_s:.0f} s "
                    "(an open SQL connection?): try again later"
                )
            time.sleep(_GATE_SHUT_S[0])
        yield
    finally:
        os.close(descriptor)


def _takes_alone(marker: Path, descriptor: int, shut_s: float) -> bool:
    """Shut the gate for at most `shut_s`; whether the others released the lock by then."""
    try:
        with _gate(marker, fcntl.LOCK_EX):
            opens_again = time.monotonic() + shut_s
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > opens_again:
                        return False
                    time.sleep(_LOOK_EVERY_S)
                else:
                    return True
    except OSError as error:
        raise StoreUnusable(f"{marker.parent}: its file system has no locks: {error}") from error


@contextlib.contextmanager
def _gate(marker: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(marker.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
