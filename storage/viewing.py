"""A store that is looked at while runs write to it: a SQL connection that follows the files.

A snapshot is a connection (`storage.catalog`) with the files of one moment. `LiveCatalog` opens a
new one when the store's files have changed, in the background: whoever asks gets the newest that is
open. The first one has to look at every file, which takes seconds in a large store; what runs
recorded of themselves is there before (`LiveCatalog.first`). Unlike other connections they do not
keep `stepmill compact` waiting, for they may stay open for days; a query that meets a file that is
gone is asked again of a new snapshot.

Statements have a limit of time and of rows. A file that proves to be damaged when it is read is
left out from then on and listed in `skipped_files`, like those whose damage shows when a store is
opened.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
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
_PATIENCE_S = 0.3
_END_S = 5.0
_MAX_CELL_LETTERS = 2000
_MAX_CACHED = 200
_FIRST_TABLES = ("runs",)
"""What a first look reads: few small files."""


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
        self,
        root: str | Path,
        *,
        memory_limit: str | None,
        damaged: dict[str, str],
        patience_s: float = 0.0,
        tables: Collection[str] | None = None,
    ) -> None:
        """Open the store without the files known to be damaged, given with the reasons.

        Args:
            root: the store.
            memory_limit: see `connect`.
            damaged: paths and reasons.
            patience_s: how long `soon` waits.
            tables: those that have rows; None for all.
        """
        self.opened_at = datetime.now(UTC)
        self.is_whole = tables is None
        """Whether all files were looked at; otherwise only what runs recorded is known."""
        self._connection = connect(
            root, memory_limit=memory_limit, keeps_files=False, left_out=damaged, tables=tables
        )
        self.store = Store(root, create=False)
        self._patience_s = patience_s
        self._lists = file_lists(self._connection)
        self._cached: dict[object, Any] = {}
        self._making: dict[object, threading.Lock] = {}
        self._soon: dict[object, Future[Any]] = {}
        self._threads: set[threading.Thread] = set()
        self._asked: set[duckdb.DuckDBPyConnection] = set()
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

    def soon(self, key: object, make: Callable[[], T]) -> T | None:
        """What `cached` returns, if that takes no patience; None while it is still being made."""
        with self._lock:
            if key in self._cached:
                return self._cached[key]
            if (found := self._soon.get(key)) is None:
                found = self._soon[key] = Future()
                making = threading.Thread(target=self._make, args=[found, key, make], daemon=True)
                self._threads.add(making)
                making.start()
        try:
            return found.result(self._patience_s)
        except TimeoutError:
            return None
        finally:
            if found.done():
                with self._lock:
                    self._soon.pop(key, None)

    def interrupt(self) -> None:
        """End what is being asked and made."""
        for cursor in tuple(self._asked):
            cursor.interrupt()
        for making in tuple(self._threads):
            making.join(_END_S)

    def _make(self, found: Future[Any], key: object, make: Callable[[], Any]) -> None:
        try:
            found.set_result(self.cached(key, make))
        except BaseException as error:  # whoever asks is told
            found.set_exception(error)
        finally:
            self._threads.discard(threading.current_thread())

    @contextmanager
    def _limited(self, timeout_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = open_cursor(self._connection, self._lists)
        self._asked.add(cursor)
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
            self._asked.discard(cursor)
            cursor.close()


class LiveCatalog:
    """The newest snapshot of a store."""

    def __init__(
        self,
        root: str | Path,
        *,
        memory_limit: str | None = "1GB",
        look_every_s: float = _LOOK_EVERY_S,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """Open nothing yet.

        Args:
            root: the store.
            memory_limit: see `connect`.
            look_every_s: after how long the store is looked at again.
            patience_s: how long a page waits for what it can be shown without.
        """
        self.root = root
        self._patience_s = patience_s
        self._look_every_s = look_every_s
        self._memory_limit = memory_limit
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._first: Snapshot | None = None
        self._first_lock = threading.Lock()
        self._opening: threading.Thread | None = None
        self._opening_since = 0.0
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

    def first(self) -> Snapshot:
        """The newest snapshot; before one is open, what runs recorded, with `is_whole` false.

        The store is opened meanwhile.

        Raises:
            StoreUnusable: the root is not a store.
        """
        if self._snapshot is None:
            with self._first_lock:
                first = self._first = self._first or self._open(_FIRST_TABLES)
            opening = self.open_soon()
            opening.join(max(0.0, self._opening_since + self._patience_s - time.monotonic()))
            if opening.is_alive():
                return first
        self._first = None
        return self.snapshot()

    def open_soon(self) -> threading.Thread:
        """Open the store in the background; the thread that does."""
        with self._first_lock:
            if self._opening is None:
                self._opening = threading.Thread(target=self._open_whole, daemon=True)
                self._opening_since = time.monotonic()
                self._opening.start()
            return self._opening

    def _open_whole(self) -> None:
        with suppress(Exception):  # whoever asks for a snapshot is told
            self.snapshot()

    def close(self) -> None:
        """End what goes on: Python cannot end while a thread of it is in a statement."""
        if self._opening is not None:
            self._opening.join(_END_S)
        if (snapshot := self._snapshot) is not None:
            snapshot.interrupt()

    def wait(self) -> None:
        """Wait until a look at the store that is going on has ended."""
        if (looking := self._looking) is not None:
            looking.join()

    def look(self) -> None:
        """Have the next one who asks see the store as it is now, once its files are listed."""
        self.wait()
        self._look()

    def answer(self, read: Callable[[Snapshot], T], *, is_first: bool = False) -> T:
        """What `read` returns; once more after a file was gone, or without those that are damaged.

        Args:
            read: makes something of a snapshot.
            is_first: whether it can do with what runs recorded while the store is being opened.

        Raises:
            duckdb.Error: as `read` raised it, if no file is at fault.
        """
        snapshot = self.first() if is_first else self.snapshot()
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

    def _open(self, tables: Collection[str] | None = None) -> Snapshot:
        return Snapshot(
            self.root,
            memory_limit=self._memory_limit,
            damaged=self._damaged,
            patience_s=self._patience_s,
            tables=tables,
        )


def _by_column(found: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """All rows of a result, without the second look at all files that a relation takes."""
    names = [name for name, *_ in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
