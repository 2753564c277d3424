"""Files of a local store: what is being written, what is no file, and what reaches the disk."""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import StoreUnusable
from schemas.rows import TABLES


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a folder of a store, by path, in order."""

    sizes: dict[str, int]
    """Files, in bytes."""
    marks: dict[str, str]
    """What changes if a local file does: its size, inode and time of change."""
    strange: dict[str, str]
    """What is in the folders of tables and is no file, such as a link, and what it is."""


def list_files(root: Path, folders: Collection[str], *, left_out: Collection[str]) -> Listing:
    """List folders, at any depth; nothing in the folder of a table follows a link.

    Args:
        root: paths are relative to it.
        folders: below the root; the empty text is the root.
        left_out: paths of folders and files that are not listed.

    Raises:
        StoreUnusable: a folder of a table is a link.
    """
    found: dict[str, os.stat_result] = {}
    strange: dict[str, str] = {}
    waiting = list(folders)
    while waiting:
        inside = waiting.pop()
        start = f"{inside}/" if inside else ""
        is_top = not inside
        in_table = inside.split("/", 1)[0] in TABLES
        for entry in _entries(root, inside):
            path = start + entry.name
            if path in left_out:
                continue
            if is_top:
                in_table = entry.name in TABLES
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif in_table and entry.is_symlink() and entry.is_dir():
                raise linked_folder(root / path)
            elif entry.is_file(follow_symlinks=not in_table):
                with contextlib.suppress(FileNotFoundError):
                    found[path] = entry.stat()
            elif in_table:
                with contextlib.suppress(FileNotFoundError):
                    strange[path] = kind_of(entry.stat(follow_symlinks=False).st_mode)
    files = sorted(found.items())
    return Listing(
        {path: status.st_size for path, status in files},
        {path: f"{s.st_size}\0{s.st_ino}\0{s.st_mtime_ns}" for path, s in files},
        dict(sorted(strange.items())),
    )


def _entries(root: Path, folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root / folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        if folder.split("/", 1)[0] in TABLES:
            raise
        return []  # such as `lost+found`


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
