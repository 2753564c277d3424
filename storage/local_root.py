"""A store in a local folder: a file is `put` by a hard link to a finished one."""

import contextlib
import os
import stat
import time
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
from typing_extensions import override

from schemas.errors import StoreUnusable
from schemas.rows import TABLES
from storage.local_files import (
    Listing,
    flush,
    kind_of,
    linked_folder,
    list_files,
    remove_unheld,
)
from storage.root import Root

STAGING = ".staging"
VERIFIED = ".verified"
"""Which files of a local store were verified (`verified.py`)."""
UNFINISHED = ".unfinished"
"""The folder of long work that resumes after an interruption of any length."""
_STAGING_LIFE_S = 24 * 3600


class LocalRoot(Root):
    """A folder. Unfinished files are in its `.staging/`, and are removed after a day.

    In the folders of tables nothing follows a link: listings do not, so rows behind a linked folder
    would be done for one reader and missing for another.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = str(folder)
        self._real_parents: set[Path] = set()

    @override
    def exists(self, path: str) -> bool:
        try:
            self._check_file(path)
        except FileNotFoundError:
            return False
        return True

    @override
    def put(self, file: Path, path: str) -> bool:
        target = self._place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        flush(file)
        try:
            os.link(file, target)
        except FileExistsError:
            return False
        flush(target.parent)
        return True

    @override
    def rewrite(self, path: str, data: bytes) -> None:
        with (self.folder / path).open("r+b", buffering=0) as stream:
            stream.write(data)  # in one call: a reader finds the old bytes or the new ones
            stream.truncate()
            os.fsync(stream.fileno())

    @override
    def open(self, path: str) -> pa.NativeFile:
        return pa.OSFile(str(self._check_file(path)))

    @override
    def tails(self, files: dict[str, int], num_bytes: int) -> dict[str, bytes]:
        found = {}
        for path, size in files.items():
            with contextlib.suppress(FileNotFoundError), (self.folder / path).open("rb") as stream:
                stream.seek(max(0, size - num_bytes))
                found[path] = stream.read()
        return found

    @override
    def files(self, folder: str = "") -> dict[str, int]:
        return self._list([folder]).sizes

    @override
    def tables(self) -> Listing:
        return self._list(TABLES)

    def _list(self, folders: Collection[str]) -> Listing:
        for folder in filter(None, folders):
            self._place(f"{folder}/file")
        return list_files(self.folder, folders, left_out=(STAGING, UNFINISHED, VERIFIED))

    def _place(self, path: str) -> Path:
        """Where a path is.

        Raises:
            StoreUnusable: it is in a table, and one of the folders on the way is a link.
        """
        place = self.folder / path
        if place.parent not in self._real_parents and path.split("/", 1)[0] in TABLES:
            folder = place.parent
            while folder != self.folder:
                if folder.is_symlink():
                    raise linked_folder(folder)
                folder = folder.parent
            if place.parent.is_dir():
                self._real_parents.add(place.parent)
        return place

    def _check_file(self, path: str) -> Path:
        """Where a file is.

        Raises:
            FileNotFoundError: there is none.
            StoreUnusable: something else is there, in the place of a table's file.
        """
        place = self._place(path)
        in_table = path.split("/", 1)[0] in TABLES
        try:
            mode = place.stat(follow_symlinks=not in_table).st_mode
        except NotADirectoryError as error:
            raise FileNotFoundError(str(error)) from error
        if in_table and not stat.S_ISREG(mode):
            raise StoreUnusable(
                f"{place} is no file but {kind_of(mode)}: `stepmill doctor --repair` moves it away"
            )
        return place

    @override
    def remove(self, path: str) -> None:
        (self.folder / path).unlink(missing_ok=True)

    @override
    def scratch_parent(self) -> Path:
        staging = self.folder / STAGING
        staging.mkdir(exist_ok=True)
        too_old = time.time() - _STAGING_LIFE_S
        for path in staging.iterdir():
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime < too_old:
                    remove_unheld(path)
        return staging
