"""The committed files of an object store for DuckDB: a fixed, read-only list."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.spec import AbstractBufferedFile

from storage.roots import ObjectRoot

_BLOCK_BYTES = 1024**2
_MAX_BLOCKS = 256
_EPOCH = datetime.fromtimestamp(0, UTC)


class ObjectFiles(AbstractFileSystem):
    """The files of one listing, which has their sizes, so that opening a file sends no request.

    DuckDB opens files one after another, so their ends, with the footers or all of a small file,
    are fetched in advance and concurrently.
    """

    protocol = "s3"
    cachable = False

    def __init__(self, root: ObjectRoot, sizes: dict[str, int], tails: dict[str, bytes]) -> None:
        """Serve these files, given by their paths relative to the root, with their last bytes."""
        super().__init__()
        # DuckDB opens a file several times and reads it in small pieces.
        self._block = lru_cache(_MAX_BLOCKS)(self._fetch_block)
        self._root = root
        top = root.url.removeprefix("s3://")
        self._sizes = {f"{top}/{path}": size for path, size in sizes.items()}
        self._tails = {f"{top}/{path}": tail for path, tail in tails.items() if path in sizes}

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """The name, size and type of a file.

        Raises:
            FileNotFoundError: it is not in the list.
        """
        key = self._strip_protocol(path)
        if not isinstance(key, str) or key not in self._sizes:
            raise FileNotFoundError(path)
        return {"name": key, "size": self._sizes[key], "type": "file"}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """The files below a path."""
        start = f"{self._strip_protocol(path)}/"
        found = [self.info(key) for key in self._sizes if key.startswith(start)]
        return found if detail else [entry["name"] for entry in found]

    def glob(self, path: str, **_: Any) -> list[str]:
        """The one file of that name: names never contain wildcards."""
        key = self._strip_protocol(path)
        return [key] if isinstance(key, str) and key in self._sizes else []

    def modified(self, path: str) -> datetime:
        """The same time for all files: committed files never change."""
        return _EPOCH

    def _open(self, path: str, mode: str = "rb", **_: Any) -> "_ObjectFile":
        if mode != "rb":
            raise PermissionError(f"{path}: the store is open for reading")
        return _ObjectFile(
            self,
            path,
            mode,
            cache_type="none",
            size=self.info(path)["size"],
        )

    def fetch(self, path: str, start: int, end: int) -> bytes:
        """A range of a file's bytes, assembled from blocks that are kept for the next reader."""
        tail = self._tails.get(path, b"")
        begin = self._sizes[path] - len(tail)
        if begin <= start:
            return tail[start - begin : end - begin]
        first, last = start // _BLOCK_BYTES, max(start, end - 1) // _BLOCK_BYTES
        joined = b"".join(self._block(path, index) for index in range(first, last + 1))
        return joined[start - first * _BLOCK_BYTES : end - first * _BLOCK_BYTES]

    def _fetch_block(self, path: str, index: int) -> bytes:
        start = index * _BLOCK_BYTES
        end = min(start + _BLOCK_BYTES, self._sizes[path])
        return self._root.read_range(path, start, end)


class _ObjectFile(AbstractBufferedFile):
    fs: ObjectFiles

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs.fetch(self.path, start, end)
