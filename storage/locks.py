"""One lock per local store: many may read and commit, one may rearrange, but never both at once.

It is a `flock` on the store's marker file, which a process holds until it lets go or dies. Commits
hold it for the instant of a link, SQL connections for as long as they are open, and `compact` alone
for the instant in which it puts a folded folder in place of the one with many small files.

Locks are granted in no order, so a process that needs the lock alone could wait forever while
others come and go. Hence the gate, a `flock` on the root folder: every process passes through it
to get the lock, and one that needs it alone keeps the gate shut while the others leave.
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
"""How long each try keeps others out; they get in between two tries."""


def share(marker: Path) -> int:
    """Hold the lock with others until the returned descriptor is closed."""
    descriptor = os.open(marker, os.O_RDONLY | os.O_CLOEXEC)
    # A file system without locks cannot be compacted in place, so there is nothing to wait for.
    with contextlib.suppress(OSError), _gate(marker, fcntl.LOCK_SH):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


@contextlib.contextmanager
def shared(marker: Path) -> Iterator[None]:
    """Hold the lock with others for the block."""
    descriptor = share(marker)
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def alone(marker: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock alone for the block.

    Raises:
        StoreUnusable: others kept it for longer than the patience, or there are no locks here.
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
    """Shut the gate for so long at most; whether those inside have left by then."""
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
