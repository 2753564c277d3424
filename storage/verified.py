"""Looks at files before SQL reads them, since DuckDB verifies no checksum and trusts every footer.

In a local store a file is verified as a whole when a connection first sees it: by its seal
(`checksums.py`), or, where an older version or another tool wrote it, by its columns. `.verified`
in the root remembers it by path, size, inode and time of change, in 8 bytes each. At most
`_MAX_BYTES` are read at each opening, the newest files first, so that a large store opens at once;
`stepmill doctor --deep` reads everything, and finds what decayed without a change of its time.

In an object store, which keeps checksums of its own, footers are verified where they were read.
"""

import array
import contextlib
import hashlib
import io
import os

import pyarrow as pa

from schemas.rows import TABLES
from schemas.units import UnitPath
from storage.checksums import SEALED_KEY, check_seal, open_checked
from storage.folded import one_line
from storage.health import read_footer
from storage.roots import VERIFIED, LocalRoot
from storage.store import Store

_MAX_BYTES = 256 * 1024**2
_KEY_BYTES = 8


class Looks:
    """What was found in files that were not seen before; `remember` keeps those that are good."""

    def __init__(self, store: Store, files: dict[str, int], tails: dict[str, bytes] | None) -> None:
        """Look at the files; nothing is written.

        Args:
            store: the store.
            files: paths and sizes of what has the end of a Parquet file.
            tails: the ends of the files of an object store.
        """
        self.damaged: dict[str, str] = {}
        """Paths and reasons."""
        self.doubtful: list[str] = []
        """Files whose columns are not exactly those of their table: DuckDB has to say."""
        self._store, self._new = store, {}
        if isinstance(store.files_root, LocalRoot):
            self._look_at_new(files)
        else:
            self._look_at_ends(tails or {})

    def remember(self) -> None:
        """Keep which files are good; in a store that cannot be written nothing is kept."""
        good = [key for path, key in self._new.items() if path not in self.damaged]
        if good and isinstance(self._store.files_root, LocalRoot):
            with contextlib.suppress(OSError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                descriptor = os.open(self._store.root / VERIFIED, flags, 0o666)
                try:
                    os.write(descriptor, array.array("Q", good).tobytes())
                finally:
                    os.close(descriptor)

    def _look_at_new(self, files: dict[str, int]) -> None:
        known = self._known()
        waiting = []
        for path, size in files.items():
            with contextlib.suppress(FileNotFoundError):
                status = (self._store.root / path).stat()
                mark = f"{path}\0{size}\0{status.st_ino}\0{status.st_mtime_ns}"
                digest = hashlib.blake2b(mark.encode(), digest_size=_KEY_BYTES).digest()
                key = int.from_bytes(digest, "little")
                if key not in known:
                    waiting.append((status.st_mtime_ns, path, size, key))
        left = _MAX_BYTES
        for _, path, size, key in sorted(waiting, reverse=True):
            if left <= 0:
                break
            left -= size
            self._look(path)
            self._new[path] = key

    def _look(self, path: str) -> None:
        try:
            with self._store.files_root.open(path) as stream:
                if check_seal(stream, whole=True):
                    return
                reason, _ = read_footer(self._store, path)
                if reason is None:
                    stream.seek(0)
                    self._doubt(path, open_checked(stream).schema_arrow)
        except FileNotFoundError:
            return
        except (pa.ArrowException, ValueError, OSError) as error:
            reason = one_line(error)
        if reason is not None:
            self.damaged[path] = reason

    def _doubt(self, path: str, schema: pa.Schema) -> None:
        spec = TABLES[UnitPath.parse(path).table]
        wanted = {field.name: field.type for field in spec.schema}
        if any(wanted.get(field.name) != field.type for field in schema):
            self.doubtful.append(path)

    def _look_at_ends(self, tails: dict[str, bytes]) -> None:
        for path, tail in tails.items():
            length = int.from_bytes(tail[-8:-4], "little")
            if len(tail) < length + 8:
                continue  # its footer is longer than what was read
            if SEALED_KEY not in tail:
                self.doubtful.append(path)
                continue
            try:
                check_seal(io.BytesIO(tail))
            except ValueError as error:
                self.damaged[path] = str(error)

    def _known(self) -> set[int]:
        with contextlib.suppress(OSError):
            held = (self._store.root / VERIFIED).read_bytes()
            keys = array.array("Q")
            keys.frombytes(held[: len(held) // _KEY_BYTES * _KEY_BYTES])
            return set(keys)
        return set()
