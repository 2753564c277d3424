"""Looks at files before SQL reads them, since DuckDB verifies no checksum and trusts every footer.

In a local store a file is verified as a whole when a connection first sees it: by its seal
(`checksums.py`) and by its columns. `.verified` in the root remembers it by path, size, inode and
time of change, in 8 bytes each. At most `_MAX_BYTES` are read whole at each opening, the newest
files first, so that a large store opens at once; of the rest the footers are read, which is
remembered as well. `stepmill doctor --deep` reads everything, and finds what decayed without a
change of its time.

In an object store, which keeps checksums of its own, footers are verified where they were read.
"""

import array
import contextlib
import hashlib
import io
import os

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.rows import TABLES
from storage.checksums import check_seal
from storage.folded import UNITS_KEY, one_line
from storage.health import misfit, wrong_end
from storage.local_files import Listing
from storage.roots import VERIFIED, LocalRoot
from storage.store import Store

_MAX_BYTES = 256 * 1024**2
_IN_MEMORY_BYTES = 16 * 1024**2
_KEY_BYTES = 8
_IS_WHOLE, _HAS_UNITS = 1, 2
"""The lowest bits of a key: whether all bytes were verified, whether the footer names units."""
_FLAGS = _IS_WHOLE | _HAS_UNITS


class Looks:
    """What was found in files that were not seen before; `remember` keeps those that are good."""

    def __init__(self, store: Store, listing: Listing, tails: dict[str, bytes]) -> None:
        """Look at the files; nothing is written.

        Args:
            store: the store.
            listing: what is at the paths of units.
            tails: the ends of the files of an object store.
        """
        self.damaged: dict[str, str] = {}
        """Paths and reasons."""
        self.doubtful: list[str] = []
        """Files whose columns are not exactly those of their table: DuckDB has to say."""
        self.without_units: list[str] = []
        """Files whose footer may not name the units in them."""
        self._store, self._new = store, {}
        self._fitting: dict[str, pa.Schema] = {}
        """By table, a schema that is exactly its own: most files share it."""
        if isinstance(store.files_root, LocalRoot):
            self._look_at_new(listing)
        else:
            self._look_at_ends(listing.sizes, tails)

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

    def _look_at_new(self, listing: Listing) -> None:
        known = self._known()
        waiting = []
        for path, size in listing.sizes.items():
            mark = listing.marks[path]
            digest = hashlib.blake2b(f"{path}\0{mark}".encode(), digest_size=_KEY_BYTES).digest()
            key = int.from_bytes(digest, "little") & ~_FLAGS
            flags = known.get(key)
            if flags is None or not flags & _IS_WHOLE:
                waiting.append((int(mark.rpartition("\0")[2]), path, size, key, flags))
            elif not flags & _HAS_UNITS:
                self.without_units.append(path)
        left = _MAX_BYTES
        for _, path, size, key, flags in sorted(waiting, reverse=True):
            is_whole = left > 0
            left -= size
            if is_whole or flags is None:
                found = self._look(path, size, is_whole=is_whole)
                if found is None:
                    continue
                flags = found
                self._new[path] = key | flags
            if not flags & _HAS_UNITS:
                self.without_units.append(path)

    def _look(self, path: str, size: int, *, is_whole: bool) -> int | None:
        """What was found of a file, as flags; None if it is damaged."""
        try:
            with self._store.files_root.open(path) as stream:
                if is_whole and size <= _IN_MEMORY_BYTES:
                    held = pa.BufferReader(stream.read())
                    reason, flags = self._read(path, size, held, is_whole=True)
                else:
                    reason, flags = self._read(path, size, stream, is_whole=is_whole)
        except (pa.ArrowException, ValueError, OSError) as error:
            reason, flags = one_line(error), 0
        if reason is not None:
            self.damaged[path] = reason
            return None
        return flags

    def _read(
        self, path: str, size: int, stream: pa.NativeFile, *, is_whole: bool
    ) -> tuple[str | None, int]:
        """Why a file is left out, and what was found of it."""
        stream.seek(max(0, size - _KEY_BYTES))
        reason = wrong_end(stream.read(_KEY_BYTES), size)
        if reason is not None:
            return reason, 0
        check_seal(stream, whole=is_whole)
        stream.seek(0)
        metadata = pq.read_metadata(stream)
        has_units = UNITS_KEY in (metadata.metadata or {})
        reason = self._look_at_columns(path, metadata.schema.to_arrow_schema())
        return reason, _IS_WHOLE * is_whole | _HAS_UNITS * has_units

    def _look_at_columns(self, path: str, schema: pa.Schema) -> str | None:
        """Why a file of this schema cannot be one of its table."""
        spec = TABLES[path.split("/", 1)[0]]
        known = self._fitting.get(spec.name)
        if known is not None and known.equals(schema):
            return None
        wanted = {field.name: field.type for field in spec.schema}
        is_doubtful = any(wanted.get(field.name) != field.type for field in schema)
        if is_doubtful:
            self.doubtful.append(path)
        reason = misfit(spec, schema)
        if reason is None and not is_doubtful:
            self._fitting[spec.name] = schema
        return reason

    def _look_at_ends(self, files: dict[str, int], tails: dict[str, bytes]) -> None:
        for path in files:
            tail = tails[path]
            if len(tail) < int.from_bytes(tail[-8:-4], "little") + 8:
                self._look(path, files[path], is_whole=False)  # its footer is longer than the tail
                continue
            if UNITS_KEY not in tail:
                self.without_units.append(path)
            try:
                check_seal(io.BytesIO(tail))
                reason = self._look_at_columns(path, pq.read_schema(pa.BufferReader(tail)))
            except (pa.ArrowException, ValueError) as error:
                reason = one_line(error)
            if reason is not None:
                self.damaged[path] = reason

    def _known(self) -> dict[int, int]:
        """The flags of files that were seen before, by the rest of their keys."""
        with contextlib.suppress(OSError):
            held = (self._store.root / VERIFIED).read_bytes()
            keys = array.array("Q")
            keys.frombytes(held[: len(held) // _KEY_BYTES * _KEY_BYTES])
            # The last one counts: a file's footer may have been read before all its bytes.
            return {key & ~_FLAGS: key & _FLAGS for key in keys}
        return {}
