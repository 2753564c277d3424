"""A store below a prefix of an S3 bucket: one request with `If-None-Match: *` is a `put`."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from typing_extensions import override

from schemas.errors import StoreUnreachable, StoreUnusable
from schemas.rows import TABLES
from storage.local_files import Listing
from storage.root import Root

_MAX_PUT_BYTES = 5 * 1024**3
"""The limit of S3 for one PutObject."""
_READ_BLOCK_BYTES = 1024**2
_CONFLICT_WAITS_S = (0.1, 0.3, 1.0, 3.0)


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
    def tables(self) -> Listing:
        sizes = {path: n for path, n in self.files().items() if path.split("/", 1)[0] in TABLES}
        return Listing(sizes, {}, {})

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


def _error_code(error: OSError) -> str | None:
    """S3's code of the error that this one was translated from."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code")
