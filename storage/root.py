"""What a store needs of the place where its files lie, local or on S3.

The one operation that the commit rule needs is `put`: a file appears whole under its name, or not
at all because the name is taken. Paths are relative to the root and use `/`.
"""

from pathlib import Path
from typing import Protocol

import pyarrow as pa

from storage.local_files import Listing


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

    def tables(self) -> Listing:
        """What lies in the folders of tables."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, if it exists."""
        ...

    def scratch_parent(self) -> Path:
        """A local folder with room for the files to `put`; on the store's disk if possible."""
        ...
