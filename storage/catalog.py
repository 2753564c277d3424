"""SQL over a store: a read-only DuckDB connection with a view per table, and those of `sql/`.

The connection lives in memory and reads only files below the root. It has no network access of its
own, sees nothing of the calling process, and its settings are locked. `query` accepts a single
statement that only reads.
"""

import os
import tempfile
import uuid
import weakref
from collections.abc import Collection, Iterable, Mapping
from importlib import resources
from pathlib import Path

import duckdb

from schemas.rows import TABLES
from schemas.units import UnitPath
from storage.folded import one_line
from storage.health import kept_tails, read_footer, unit_files, with_right_ends
from storage.local_files import Listing
from storage.locks import share
from storage.marker import MARKER
from storage.reading import check_reading
from storage.roots import LocalRoot, ObjectRoot
from storage.store import Store
from storage.table_views import (
    NO_METADATA,
    create_metadata_view,
    create_table_view,
    escape_glob,
    literal,
    no_rows,
)
from storage.verified import Looks
from storage.view_comments import comment_catalog

_MAX_KEPT_FOOTERS = 1000
"""Files up to which a connection keeps footers between queries; one of them takes 85 kB."""
_FILE_TABLES = """
create table files (
    path varchar, table_name varchar, run_id varchar, stage varchar, file_name varchar,
    num_bytes bigint
);
create table skipped_files (path varchar, reason varchar)
"""


def connect(
    root: str | Path,
    *,
    memory_limit: str | None = None,
    keeps_files: bool = True,
    left_out: Mapping[str, str] | None = None,
    tables: Collection[str] | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a store for reading: a view per table (with `run_id` and `stage`) and all SQL views.

    The connection sees the files that are committed when it opens. A file that cannot be read is
    left out and listed in the table `skipped_files`. A local store is not compacted while the
    connection is open.

    Args:
        root: the store.
        memory_limit: the memory that DuckDB uses before it spills to disk, such as `1GB`; None for
            its own choice.
        keeps_files: whether a local store waits with compaction until the connection is closed;
            otherwise a statement may meet a file that is gone.
        left_out: paths of files that are not to be read, with the reason.
        tables: those that have rows; None for all. The table `files` lists the files of the others
            too, but nobody has looked at them.

    Raises:
        StoreUnusable: the root is not a store.
    """
    store = Store(root, create=False)
    connection = duckdb.connect(":memory:")
    if memory_limit is not None:
        connection.execute(f"set memory_limit = {literal(memory_limit)}")
    if keeps_files and isinstance(store.files_root, LocalRoot):
        weakref.finalize(connection, os.close, share(store.root / MARKER))
    listing, skipped = unit_files(store)
    unread: dict[str, int] = {}
    if tables is not None:
        unread = {p: n for p, n in listing.sizes.items() if p.split("/", 1)[0] not in tables}
        read = {p: n for p, n in listing.sizes.items() if p not in unread}
        listing = Listing(read, listing.marks, {})
        skipped = {p: why for p, why in skipped.items() if p.split("/", 1)[0] in tables}
    tails: dict[str, bytes] = {}
    if isinstance(store.files_root, ObjectRoot):
        from storage.object_files import ObjectFiles

        tails = kept_tails(store, listing.sizes)
        listing = Listing(with_right_ends(listing.sizes, tails, skipped), {}, {})
        connection.register_filesystem(ObjectFiles(store.files_root, listing.sizes, tails))
    _restrict(connection, store.url)
    looks = Looks(store, listing, tails)
    looks.damaged |= _refused(connection, store, looks.doubtful)
    looks.remember()
    looks.damaged |= {p: why for p, why in (left_out or {}).items() if p in listing.sizes}
    skipped |= looks.damaged
    files = {path: size for path, size in listing.sizes.items() if path not in looks.damaged}
    if len(files) <= _MAX_KEPT_FOOTERS:
        connection.execute("set parquet_metadata_cache = true")  # a committed file never changes
    _create_all(connection, store, files, skipped, looks.without_units, unread=unread)
    comment_catalog(connection)
    connection.execute("set lock_configuration = true")
    return connection


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """The relation of one reading statement.

    Raises:
        ValueError: the text is not exactly one statement that only reads.
        duckdb.Error: the statement is wrong, or reaches for something outside the root.
    """
    check_reading(connection, sql)
    return connection.sql(sql)


def _restrict(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    """Let a connection read files below the root and nothing else."""
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set python_enable_replacements = false")
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set autoload_known_extensions = false")
    # Made when a query needs it, removed with the connection; its folder is readable too.
    spill = Path(tempfile.gettempdir()) / f"stepmill-sql-{uuid.uuid4().hex}"
    connection.execute(f"set temp_directory = {literal(str(spill))}")
    folders = {f"{url}/", f"{escape_glob(url)}/"}
    connection.execute(f"set allowed_directories = [{', '.join(map(literal, sorted(folders)))}]")
    connection.execute("set enable_external_access = false")


def _create_all(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    files: dict[str, int],
    skipped: dict[str, str],
    without_units: Collection[str],
    *,
    unread: dict[str, int],
) -> None:
    """Create all tables and views of a connection."""
    connection.execute(_FILE_TABLES)
    _fill_file_tables(connection, files | unread, skipped)
    by_table: dict[str, list[str]] = {}
    for path in files:
        by_table.setdefault(path.split("/", 1)[0], []).append(path)
    _create_views(connection, has_verdicts="verdicts" in by_table)
    for name, paths in by_table.items():
        create_table_view(connection, store.url, TABLES[name], paths)
    uncounted = [path for path in without_units if path in files]
    create_metadata_view(connection, store.url, list(files), uncounted)


def _refused(
    connection: duckdb.DuckDBPyConnection, store: Store, paths: Iterable[str]
) -> dict[str, str]:
    """The files that are not of their table, or that DuckDB refuses as such, with the reason."""
    found = {}
    for path in paths:
        reason, _ = read_footer(store, path)
        if reason is not None:
            found[path] = reason
            continue
        spec = TABLES[UnitPath.parse(path).table]
        described = connection.execute(f"describe {no_rows(spec)}").fetchall()
        wanted = {name: kind for name, kind, *_ in described}
        rows = f"read_parquet({literal(escape_glob(f'{store.url}/{path}'))})"
        try:
            there = connection.execute(f"describe select * from {rows}").fetchall()
        except duckdb.Error as error:
            found[path] = f"DuckDB refuses it: {one_line(error)}"
            continue
        for name, kind, *_ in there:
            if wanted.get(name, kind) != kind:
                found[path] = f"its column {name} is {kind} in SQL, expected {wanted[name]}"
                break
    return found


def _sql_texts(*folders: str) -> dict[str, str]:
    """The statements of a folder of `sql/`, by name."""
    folder = resources.files("storage").joinpath("sql", *folders)
    return {
        entry.name.removesuffix(".sql"): entry.read_text()
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    }


def _create_views(connection: duckdb.DuckDBPyConnection, *, has_verdicts: bool) -> None:
    """Create every view over empty tables; over many files each would take as long as a query.

    A view that reads another one is created after it.
    """
    for spec in TABLES.values():
        connection.execute(f"create view {spec.name} as {no_rows(spec)}")
    connection.execute(f"create view file_metadata as {NO_METADATA}")
    for text in _sql_texts("macros").values():
        connection.execute(text)
    waiting = _sql_texts()
    if not has_verdicts:
        # A join with an empty table would still read all trajectory ids, the largest column.
        waiting["graded"] = "select * from trajectories"
    while waiting:
        created = []
        missing: duckdb.CatalogException | None = None
        for name, text in sorted(waiting.items()):
            try:
                connection.execute(f"create view {name} as {text}")
            except duckdb.CatalogException as error:
                missing = error
            else:
                created.append(name)
        if not created and missing is not None:
            raise missing
        for name in created:
            del waiting[name]


def _fill_file_tables(
    connection: duckdb.DuckDBPyConnection, files: dict[str, int], skipped: dict[str, str]
) -> None:
    """Fill `files` and `skipped_files`."""
    parts = [UnitPath.parse(path) for path in files]
    # Not registered from Arrow: DuckDB would import pandas, which takes longer than all the rest.
    _insert(
        connection,
        "files",
        [*files],
        [part.table for part in parts],
        [part.run_id for part in parts],
        [part.stage for part in parts],
        [part.unit for part in parts],
        [*files.values()],
    )
    _insert(connection, "skipped_files", [*skipped], [*skipped.values()])


def _insert(connection: duckdb.DuckDBPyConnection, table: str, *columns: list) -> None:
    """Fill a table with columns of equal length."""
    values = ", ".join(["unnest(?)"] * len(columns))
    connection.execute(f"insert into {table} select {values}", columns)
