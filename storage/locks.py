"""One lock per local store: many may read and commit, one may rearrange, never both at once.

It is a `flock` on the store's marker file, which a process holds until it lets go or dies. Commits
hold it for the instant of a link, SQL connections for as long as they are open, and `compact` alone
for the instant in which it puts a folded folder in place of the one with many small files.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import StoreUnusable

_LOOK_EVERY_S = 0.05


def share(marker: Path) -> int:
    """Hold the lock with others until the returned descriptor is closed."""
    descriptor = os.open(marker, os.O_RDONLY | os.O_CLOEXEC)
    # A file system without locks cannot be compacted in place, so there is nothing to wait for.
    with contextlib.suppress(OSError):
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
def alone(marker: Path, *, patience_s: float) -> Iterator[None]:
    """Hold the lock with nobody else for the block.

    Raises:
        StoreUnusable: others kept it for longer than the patience, or there are no locks here.
    """
    descriptor = os.open(marker, os.O_RDONLY | os.O_CLOEXEC)
    deadline = time.monotonic() + patience_s
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreUnusable(
                        f"{marker.parent}: somebody has been reading it for {patience_s:.0f} s "
                        "(an open SQL connection?): try again later"
                    ) from None
                time.sleep(_LOOK_EVERY_S)
            except OSError as error:
                raise StoreUnusable(
                    f"{marker.parent}: its file system has no locks: {error}"
                ) from error
        yield
    finally:
        os.close(descriptor)
