"""A store that is looked at while runs write to it: a SQL connection that follows the files.

A snapshot is a connection (`storage.catalog`) with the files of one moment. `LiveCatalog` opens a
new one when the store's files have changed, in the background: whoever asks gets the newest that is
open. Unlike other connections they do not keep `stepmill compact` waiting, for they may stay open
for days; a query that meets a file that is gone is asked again of a new snapshot.

Statements have a limit of time and of rows. A file that proves to be damaged when it is read is
left out from then on and listed in `skipped_files`, like those whose damage shows when a store is
opened.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from schemas.errors import StepmillError
from storage.catalog import connect, query
from storage.health import table_of
from storage.inspection import inspect
from storage.queries import text_of
from storage.reading import check_reading
from storage.store import Store
from storage.table_views import file_lists, open_cursor

T = TypeVar("T")

TIMEOUT_S = 10.0
"""The time limit of a statement of a page."""
_LOOK_EVERY_S = 2.0
_WAIT_S = 0.5
_MAX_CELL_LETTERS = 2000
_MAX_CACHED = 200


class TooSlow(StepmillError):
    """A statement took longer than its limit."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The first rows of a statement, as text."""

    columns: list[str]
    rows: list[tuple[str | None, ...]]
    is_cut: bool
    """Whether there are more rows than were asked for."""
    seconds: float


class Snapshot:
    """The files of a store at one moment, open for SQL from several threads."""

    def __init__(
        self, root: str | Path, *, memory_limit: str | None, damaged: dict[str, str]
    ) -> None:
        """Open the store without the files known to be damaged, given with the reasons."""
        self.opened_at = datetime.now(UTC)
        self._connection = connect(
            root, memory_limit=memory_limit, keeps_files=False, left_out=damaged
        )
        self.store = Store(root, create=False)
        self._lists = file_lists(self._connection)
        self._cached: dict[object, Any] = {}
        self._making: dict[object, threading.Lock] = {}
        self._lock = threading.Lock()

    def ask(self, name: str, /, **values: Any) -> list[dict[str, Any]]:
        """The rows of a named query (`sql/queries/`), each by column.

        Raises:
            TooSlow: it took too long.
        """
        with self._limited(TIMEOUT_S) as cursor:
            return _by_column(cursor.execute(text_of(name), values or None))

    def rows(self, sql: str, *, timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
        """All rows of one reading statement, each by column.

        Raises:
            ValueError: it does not only read.
            TooSlow: it took too long.
        """
        with self._limited(timeout_s) as cursor:
            check_reading(cursor, sql)
            return _by_column(cursor.execute(sql))

    def select(self, sql: str, *, max_rows: int, timeout_s: float = TIMEOUT_S) -> Rows:
        """The first rows of one reading statement, every value as text of bounded length.

        Raises:
            ValueError: it does not only read.
            TooSlow: it took too long.
        """
        start = time.perf_counter()
        with self._limited(timeout_s) as cursor:
            found = query(cursor, sql)
            columns = found.columns
            texts = [
                f"left(cast(#{place} as varchar), {_MAX_CELL_LETTERS})"
                for place in range(1, len(columns) + 1)
            ]
            first = found.limit(max_rows + 1).project(", ".join(texts)).fetchall()
        seconds = time.perf_counter() - start
        return Rows(columns, first[:max_rows], len(first) > max_rows, seconds)

    def cached(self, key: object, make: Callable[[], T]) -> T:
        """What `make` returns, made once per key while the snapshot is the newest."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:  # whoever asks for what is being made waits for it
            with self._lock:
                if key in self._cached:
                    return self._cached[key]
            made = make()
            with self._lock:
                if len(self._cached) >= _MAX_CACHED:
                    self._cached.clear()
                    self._making.clear()
                self._cached[key] = made
            return made

    @contextmanager
    def _limited(self, timeout_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = open_cursor(self._connection, self._lists)
        timer = threading.Timer(timeout_s, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield cursor
        except duckdb.InterruptException as error:
            raise TooSlow(
                f"it took longer than {timeout_s:g} s: ask for fewer rows, such as those of one run"
            ) from error
        finally:
            timer.cancel()
            cursor.close()


class LiveCatalog:
    """The newest snapshot of a store."""

    def __init__(
        self,
        root: str | Path,
        *,
        memory_limit: str | None = "1GB",
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        """Open nothing yet."""
        self.root = root
        self._look_every_s = look_every_s
        self._memory_limit = memory_limit
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._listing: dict[str, int] = {}
        self._looked_at = 0.0
        self._looking: threading.Thread | None = None
        self._damaged: dict[str, str] = {}

    def snapshot(self) -> Snapshot:
        """The newest snapshot that is open; the store is looked at again every two seconds.

        Raises:
            StoreUnusable: the root is not a store.
        """
        with self._lock:
            if self._snapshot is None:
                self._listing = self._list()
                self._snapshot = self._open()
                self._looked_at = time.monotonic()
                return self._snapshot
            looking = self._looking
            if looking is None and time.monotonic() - self._looked_at > self._look_every_s:
                looking = self._looking = threading.Thread(target=self._look, daemon=True)
                looking.start()
        if looking is not None:
            looking.join(_WAIT_S)  # a small store is seen as it is, a large one as it was
        with self._lock:
            assert self._snapshot is not None
            return self._snapshot

    def wait(self) -> None:
        """Wait until a look at the store that is going on has ended."""
        if (looking := self._looking) is not None:
            looking.join()

    def look(self) -> None:
        """Have the next one who asks see the store as it is now, once its files are listed."""
        self.wait()
        self._look()

    def answer(self, read: Callable[[Snapshot], T]) -> T:
        """What `read` returns; once more after a file was gone, or without those that are damaged.

        Raises:
            duckdb.Error: as `read` raised it, if no file is at fault.
        """
        snapshot = self.snapshot()
        try:
            return read(snapshot)
        except (TooSlow, duckdb.InterruptException):
            raise
        except duckdb.Error as error:
            renewed = self._without_fault(snapshot, error)
            if renewed is None:
                raise
            return read(renewed)

    def _without_fault(self, snapshot: Snapshot, error: duckdb.Error) -> Snapshot | None:
        """A new snapshot if files have changed or are damaged; None if neither is the reason."""
        if isinstance(error, duckdb.ProgrammingError):
            return None
        listing = self._list()
        if listing == self._listing:
            found = inspect(snapshot.store, deep=True).unusable
            if not found.keys() - self._damaged.keys():
                return None
            self._damaged |= found
        with self._lock:
            self._listing = listing
            self._snapshot = self._open()
            return self._snapshot

    def _look(self) -> None:
        try:
            listing = self._list()
            if listing != self._listing:
                opened = self._open()
                with self._lock:
                    self._snapshot, self._listing = opened, listing
        except (OSError, StepmillError):
            pass  # the store does not answer now; what is open stays
        finally:
            self._looked_at = time.monotonic()
            self._looking = None

    def _list(self) -> dict[str, int]:
        there = Store(self.root, create=False).files_root.files()
        return {path: size for path, size in there.items() if table_of(path) is not None}

    def _open(self) -> Snapshot:
        return Snapshot(self.root, memory_limit=self._memory_limit, damaged=self._damaged)


def _by_column(found: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """All rows of a result, without the second look at all files that a relation takes."""
    names = [name for name, *_ in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
