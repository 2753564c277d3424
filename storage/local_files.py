"""Files of a local store: what is being written, what is no file, and what reaches the disk."""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import StoreUnusable


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Lock something unfinished for as long as its writer lives, whatever the clocks say."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: nothing is removed there
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def remove_unheld(path: Path) -> None:
    """Remove what a process left that has died; what a living one writes is kept.

    Raises:
        OSError: it is held, or there are no locks to tell.
    """
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        path.unlink()
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        os.close(descriptor)


def linked_folder(folder: Path) -> StoreUnusable:
    """The error for a table's folder that is a link."""
    return StoreUnusable(
        f"{folder} is a link: a folder of a table must be in the store itself, since listings do "
        "not follow links; move its content here, or link the whole store"
    )


def kind_of(mode: int) -> str:
    """What is there instead of a file."""
    kinds = {
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe (FIFO)",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def flush(path: Path) -> None:
    """Write a file or folder through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
