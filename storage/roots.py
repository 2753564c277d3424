"""Where a store's files lie: a local folder, or a prefix of an S3 bucket.

Both offer the one operation that the commit rule needs, `put`: a file appears whole under its name,
or not at all because the name is taken. Locally that is a hard link to a finished file; on S3 it is
one PutObject with `If-None-Match: *`. Paths are relative to the root and use `/`.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from typing_extensions import override

from schemas.errors import StoreUnreachable, StoreUnusable
from schemas.rows import TABLES
from storage.local_files import flush, held, kind_of, linked_folder, remove_unheld

STAGING = ".staging"
VERIFIED = ".verified"
"""Which files of a local store were verified (`verified.py`)."""
UNFINISHED = ".unfinished"
"""The folder of long work that resumes after an interruption of any length."""
_STAGING_LIFE_S = 24 * 3600
_MAX_PUT_BYTES = 5 * 1024**3
"""The limit of S3 for one PutObject."""
_READ_BLOCK_BYTES = 1024**2
_CONFLICT_WAITS_S = (0.1, 0.3, 1.0, 3.0)


class Root(Protocol):
    """A place for the files of a store."""

    url: str
    """The name that opens it in any process: an absolute path, or `s3://bucket/prefix`."""

    def exists(self, path: str) -> bool:
        """Whether the file exists."""
        ...

    def put(self, file: Path, path: str) -> bool:
        """Give a finished local file its name in the store; False if the name is taken."""
        ...

    def rewrite(self, path: str, data: bytes) -> None:
        """Change the content of a small file; a local file is kept, and so are locks on it."""
        ...

    def open(self, path: str) -> pa.NativeFile:
        """A file for random reading.

        Raises:
            FileNotFoundError: the file does not exist.
        """
        ...

    def tails(self, files: dict[str, int], num_bytes: int) -> dict[str, bytes]:
        """The last bytes of files given with their sizes; all bytes of a shorter file."""
        ...

    def files(self, folder: str = "") -> dict[str, int]:
        """All finished files below a folder, at any depth, with their sizes in bytes."""
        ...

    def strange_files(self) -> dict[str, str]:
        """What lies in the folders of tables and is no file, such as a link, and what it is."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, if it exists."""
        ...

    def scratch_parent(self) -> Path:
        """A local folder with room for the files to `put`; on the store's disk if possible."""
        ...


def open_root(root: str | Path) -> Root:
    """The root with that name.

    Raises:
        StoreUnusable: it is a URL of a kind that cannot keep the commit rule, or without a bucket.
    """
    text = str(root)
    if text.startswith("s3://"):
        return ObjectRoot(text)
    if "://" in text:
        raise StoreUnusable(f"root {text}: expected a local folder or s3://BUCKET/PREFIX")
    return LocalRoot(Path(text).expanduser().absolute())


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
        return self._list(folder)[0]

    @override
    def strange_files(self) -> dict[str, str]:
        return {path: kind for name in TABLES for path, kind in self._list(name)[1].items()}

    def _list(self, folder: str) -> tuple[dict[str, int], dict[str, str]]:
        """The files below a folder with their sizes, and what else is in the folders of tables.

        Raises:
            StoreUnusable: a folder of a table is a link.
        """
        found: dict[str, int] = {}
        strange: dict[str, str] = {}
        if folder:
            self._place(f"{folder}/file")
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            for entry in self._entries(inside):
                path = f"{inside}/{entry.name}" if inside else entry.name
                in_table = path.split("/", 1)[0] in TABLES
                if path in (STAGING, UNFINISHED, VERIFIED):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif entry.is_dir() and in_table:
                    raise linked_folder(self.folder / path)
                elif entry.is_file(follow_symlinks=not in_table):
                    with contextlib.suppress(FileNotFoundError):
                        found[path] = entry.stat().st_size
                elif in_table:
                    with contextlib.suppress(FileNotFoundError):
                        strange[path] = kind_of(entry.stat(follow_symlinks=False).st_mode)
        return dict(sorted(found.items())), dict(sorted(strange.items()))

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.folder / folder) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except PermissionError:
            if folder.split("/", 1)[0] in TABLES:
                raise
            return []  # such as `lost+found`

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


class ObjectRoot(Root):
    """A prefix of an S3 bucket; region, endpoint and keys come from the usual AWS settings."""

    def __init__(self, url: str) -> None:
        """Only name the bucket; no request is sent.

        Raises:
            StoreUnusable: the URL names no bucket.
        """
        bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
        if not bucket:
            raise StoreUnusable(f"root {url}: expected s3://BUCKET/PREFIX")
        self._top = f"{bucket}/{prefix}".rstrip("/")
        self.url = f"s3://{self._top}"

    @property
    def _fs(self) -> Any:
        """One file system per process: its threads do not survive a fork or a pickle."""
        import s3fs

        # Listings must be fresh: other processes commit files all the time.
        return s3fs.S3FileSystem(
            use_listings_cache=False,
            config_kwargs={
                "retries": {"max_attempts": 8, "mode": "standard"},
                "connect_timeout": 10,
                "read_timeout": 60,
            },
        )

    @override
    def exists(self, path: str) -> bool:
        try:
            with self._translated():
                self._fs.info(self._key(path))
        except FileNotFoundError:
            return False
        return True

    @override
    def put(self, file: Path, path: str) -> bool:
        size = file.stat().st_size
        if size > _MAX_PUT_BYTES:
            raise ValueError(f"{path}: a file may have {_MAX_PUT_BYTES:,} bytes, got {size:,}")
        body = file.read_bytes()
        for wait_s in (*_CONFLICT_WAITS_S, None):
            try:
                with self._translated():
                    # One request, whatever the size, so that it is all or nothing.
                    self._fs.call_s3(
                        "put_object", **self._address(path), Body=body, IfNoneMatch="*"
                    )
            except OSError as error:
                code = _error_code(error)
                if isinstance(error, FileExistsError) or code == "PreconditionFailed":
                    return False
                if code != "ConditionalRequestConflict" or wait_s is None:
                    raise
                # Another process is writing the same file at this moment.
                time.sleep(wait_s)
            else:
                return True
        raise AssertionError("the last try returns or raises")

    @override
    def rewrite(self, path: str, data: bytes) -> None:
        with self._translated():
            self._fs.call_s3("put_object", **self._address(path), Body=data)

    @override
    def open(self, path: str) -> pa.NativeFile:
        with self._translated():
            stream = self._fs.open(self._key(path), "rb", block_size=_READ_BLOCK_BYTES)
        return pa.PythonFile(stream, mode="r")

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """A range of the bytes of a key `bucket/prefix/path`."""
        with self._translated():
            return self._fs.cat_file(key, start=start, end=end)

    @override
    def tails(self, files: dict[str, int], num_bytes: int) -> dict[str, bytes]:
        paths = [path for path, size in files.items() if size]
        with self._translated():
            found = self._fs.cat_ranges(
                [self._key(path) for path in paths],
                [max(0, files[path] - num_bytes) for path in paths],
                [files[path] for path in paths],
                on_error="return",
            )
        gone = {path for path, size in files.items() if not size}
        tails = {
            path: tail for path, tail in zip(paths, found, strict=True) if isinstance(tail, bytes)
        }
        return tails | {path: b"" for path in gone}

    @override
    def files(self, folder: str = "") -> dict[str, int]:
        with self._translated():
            found = self._fs.find(self._key(folder), detail=True)
        skip = len(self._top) + 1
        return {key[skip:]: info["size"] for key, info in sorted(found.items())}

    @override
    def strange_files(self) -> dict[str, str]:
        return {}

    @override
    def remove(self, path: str) -> None:
        with self._translated(), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._key(path))

    @override
    def scratch_parent(self) -> Path:
        return Path(tempfile.gettempdir())

    def _key(self, path: str) -> str:
        return f"{self._top}/{path}".rstrip("/")

    def _address(self, path: str) -> dict[str, str]:
        bucket, _, key = self._key(path).partition("/")
        return {"Bucket": bucket, "Key": key}

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise the transport's errors, once all its retries have failed, as `StoreUnreachable`."""
        from botocore.exceptions import BotoCoreError

        try:
            yield
        except (BotoCoreError, TimeoutError, ConnectionError) as error:
            raise StoreUnreachable(f"{self.url}: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def scratch_folder(root: Root) -> Iterator[Path]:
    """A local folder for unfinished files, removed afterwards."""
    folder = root.scratch_parent() / f"stepmill-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        with held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def staged_file(root: Root, suffix: str) -> Iterator[Path]:
    """An empty local file to be finished and then `put`, removed afterwards."""
    path = root.scratch_parent() / f"{uuid.uuid4().hex}{suffix}"
    path.touch(exist_ok=False)
    try:
        with held(path):
            yield path
    finally:
        path.unlink(missing_ok=True)


def _error_code(error: OSError) -> str | None:
    """S3's code of the error that this one was translated from."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code")
