"""Inspection of a store for `stepmill doctor`: files that should not be there, the commit rule.

Only `quarantine`, which moves files away, and `probe`, which writes into `.staging/` and removes
that again, change anything in a store.
"""

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from schemas.errors import StoreUnusable
from schemas.rows import SCHEMA_VERSION, TABLES
from schemas.unit_names import misnamed
from storage.checksums import check_seal, open_checked
from storage.folded import is_folded, one_line
from storage.health import committed_files, read_footer, table_of
from storage.roots import STAGING, LocalRoot, Root
from storage.store import Store

QUARANTINE = ".quarantine"
_AT_ONCE = 8
"""Files inspected concurrently, since most of the time in an object store is waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The findings in the folders of tables, with reasons by path."""

    num_files: dict[str, int]
    """Number of readable files, by table."""
    num_bytes: dict[str, int]
    unusable: dict[str, str]
    """At the path of a unit's file, but not readable as rows of its table."""
    newer: dict[str, str]
    """Written by a later schema version."""
    unmarked: dict[str, str]
    """Readable, with the right columns, but without the project's mark."""
    misnamed: dict[str, str]
    """Readable, but not under a name by which a stage finds the units that it reads."""
    foreign: dict[str, str]
    """In the folder of a table, but not at the path of a unit's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something unfinished in `.staging/`."""

    path: str
    num_bytes: int
    age_s: float


def inspect(store: Store, *, deep: bool = False) -> Inspection:
    """Look at every file in the table folders: its end and footer, and if `deep` all its rows."""
    listing = store.files_root.tables()
    files, unusable = committed_files(store)
    newer, unmarked = {}, {}

    def look(path: str) -> tuple[str | None, int | None]:
        reason, version = read_footer(store, path)
        if deep and reason is None:
            reason = _damage(store, path)
        if reason is not None and not store.files_root.exists(path):
            return None, SCHEMA_VERSION  # folded into another file since the listing
        return reason, version

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looks = dict(zip(files, pool.map(look, files), strict=True))
    for path, (reason, version) in looks.items():
        if version is not None and version > SCHEMA_VERSION:
            newer[path] = f"it is of schema version {version}, this stepmill's is {SCHEMA_VERSION}"
        elif reason is not None:
            unusable[path] = reason
        elif version is None:
            unmarked[path] = "its metadata has no stepmill_schema_version"
    usable = {path: size for path, size in files.items() if path not in unusable}
    sizes = {
        name: [size for path, size in usable.items() if path.startswith(f"{name}/")]
        for name in TABLES
    }
    return Inspection(
        num_files={name: len(each) for name, each in sizes.items()},
        num_bytes={name: sum(each) for name, each in sizes.items()},
        unusable=unusable,
        newer=newer,
        unmarked=unmarked,
        misnamed={
            path: reason
            for path in usable
            if not is_folded(path) and (reason := misnamed(path)) is not None
        },
        foreign={
            path: "a unit's file is TABLE/run_id=RUN/stage=STAGE/UNIT.parquet"
            for path in (*listing.sizes, *listing.strange)
            if table_of(path) is None
        },
    )


def leftovers(root: Root) -> list[Leftover]:
    """The contents of `.staging/`, left by processes that are running or were killed."""
    if not isinstance(root, LocalRoot):
        return []  # unfinished files are in a temporary folder of the machine that writes them
    found = []
    with contextlib.suppress(FileNotFoundError):
        for path in (root.folder / STAGING).iterdir():
            with contextlib.suppress(FileNotFoundError):
                inside = [each for each in path.rglob("*") if each.is_file()] or [path]
                found.append(
                    Leftover(
                        path=f"{STAGING}/{path.name}",
                        num_bytes=sum(each.stat().st_size for each in inside),
                        age_s=time.time() - path.stat().st_mtime,
                    )
                )
    return found


def quarantine(store: Store, paths: Sequence[str]) -> list[str]:
    """Move files to the same path below `.quarantine/`, where nothing reads them; their new paths.

    The next run with the run id makes the units of these files again.

    Raises:
        StoreUnusable: the store is in an object store, which cannot move a file in one step.
        OSError: the store cannot be written.
    """
    if not isinstance(store.files_root, LocalRoot):
        raise StoreUnusable(
            f"{store.url}: expected a local folder; in an object store copy the file elsewhere and "
            "delete it while nothing runs"
        )
    moved = []
    for path in paths:
        target = store.root / QUARANTINE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        (store.root / path).rename(target)
        moved.append(target.relative_to(store.root).as_posix())
    return moved


def probe(root: Root) -> None:
    """Test what every commit needs: a name can be used once, and is refused the second time.

    Raises:
        StoreUnusable: a name can be used twice.
        OSError: the place cannot be written, or has no hard links.
    """
    name = f"{STAGING}/probe-{uuid.uuid4().hex}"
    file = root.scratch_parent() / f"stepmill-{uuid.uuid4().hex}"
    try:
        file.write_bytes(b"probe")
        first, second = root.put(file, name), root.put(file, name)
    finally:
        file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            root.remove(name)
    if not first or second:
        raise StoreUnusable(
            f"{root.url}: an existing file was overwritten: rows could be lost; use a place "
            "that supports hard links or conditional writes (If-None-Match)"
        )


def has_locks(folder: Path) -> bool:
    """Whether files in this folder can be locked, which compaction in place needs."""
    file = folder / f"stepmill-{uuid.uuid4().hex}"
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
        file.unlink()
    return True


def _damage(store: Store, path: str) -> str | None:
    """Why not all rows of a file can be read; None if they can."""
    try:
        with store.files_root.open(path) as stream:
            check_seal(stream, whole=True)
            file = open_checked(stream)
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except (pa.ArrowException, ValueError, OSError) as error:
        return f"its rows cannot be read: {one_line(error)}"
    return None
