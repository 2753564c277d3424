"""SQL over a store: a read-only DuckDB connection with a view per table, and those of `sql/`.

The connection lives in memory and reads only files below the root. It has no network access of its
own, sees nothing of the calling process, and its settings are locked. `query` accepts a single
statement that only reads.
"""

import os
import tempfile
import uuid
import weakref
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.errors import StoreUnusable
from schemas.rows import TABLES, TableSpec
from schemas.units import UnitPath
from storage.folded import one_line
from storage.health import committed_files, misfits
from storage.locks import share
from storage.marker import MARKER
from storage.older_rows import present_columns
from storage.reading import check_reading
from storage.roots import LocalRoot, ObjectRoot
from storage.store import Store
from storage.verified import Looks

_SQL_TYPES = {
    pa.string(): "varchar",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
}
_GLOB_ESCAPES = {ord(c): f"[{c}]" for c in "*?["}
_FILE_TABLES = """
create table files (
    path varchar, table_name varchar, run_id varchar, stage varchar, file_name varchar,
    num_bytes bigint
);
create table skipped_files (path varchar, reason varchar)
"""
_FEW_FILES = 20
_NO_METADATA = (
    "select null::varchar as path, null::bigint as num_rows, null::varchar as units where false"
)


def connect(
    root: str | Path,
    *,
    memory_limit: str | None = None,
    keeps_files: bool = True,
    left_out: Mapping[str, str] | None = None,
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

    Raises:
        StoreUnusable: the root is not a store.
    """
    store = Store(root, create=False)
    connection = duckdb.connect(":memory:")
    if memory_limit is not None:
        connection.execute(f"set memory_limit = {_literal(memory_limit)}")
    if keeps_files and isinstance(store.files_root, LocalRoot):
        weakref.finalize(connection, os.close, share(store.root / MARKER))
    is_remote = isinstance(store.files_root, ObjectRoot)
    tails: dict[str, bytes] | None = {} if is_remote else None
    files, skipped = committed_files(store, tails=tails)
    for path, reason in (left_out or {}).items():
        if files.pop(path, None) is not None:
            skipped[path] = reason
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set python_enable_replacements = false")
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set autoload_known_extensions = false")
    connection.execute("set parquet_metadata_cache = true")  # a committed file never changes
    # Made when a query needs it, removed with the connection; its folder is readable too.
    spill = Path(tempfile.gettempdir()) / f"stepmill-sql-{uuid.uuid4().hex}"
    connection.execute(f"set temp_directory = {_literal(str(spill))}")
    if isinstance(store.files_root, ObjectRoot):
        from storage.object_files import ObjectFiles

        connection.register_filesystem(ObjectFiles(store.files_root, files, tails or {}))
    folders = {f"{store.url}/", f"{_escape_glob(store.url)}/"}
    connection.execute(f"set allowed_directories = [{', '.join(map(_literal, sorted(folders)))}]")
    connection.execute("set enable_external_access = false")
    connection.execute(_FILE_TABLES)
    _look(connection, store, files, skipped, tails)
    _create_views(connection, has_verdicts=any(path.startswith("verdicts/") for path in files))
    for spec in TABLES.values():
        _create_table_view(connection, store, spec, files, skipped)
    _fill_file_tables(connection, store, files, skipped)
    connection.execute("set lock_configuration = true")
    return connection


def narrow_views(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    """Make the tables' views read the columns of one file instead of those of every file.

    A view over many files finds out their columns whenever it is used. Here the files of a table
    are grouped once by their columns, so that the first file of a group speaks for all of it.
    """
    for spec in TABLES.values():
        found = connection.execute(
            "select path from files where table_name = ? order by path", [spec.name]
        ).fetchall()
        if len(found) < _FEW_FILES:
            continue
        groups = connection.execute(
            f"""
            with columns as (
                select file_name, list((name, type, num_children)) as columns
                from parquet_schema({_list_of(store, [path for (path,) in found])})
                group by file_name
            )
            select list(substr(file_name, {len(store.url) + 2}) order by file_name)
            from columns
            group by columns
            """
        ).fetchall()
        _create_over(connection, spec, _union(connection, store, spec, [g for (g,) in groups]))


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """The relation of one reading statement.

    Raises:
        ValueError: the text is not exactly one statement that only reads.
        duckdb.Error: the statement is wrong, or reaches for something outside the root.
    """
    check_reading(connection, sql)
    return connection.sql(sql)


def _look(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    files: dict[str, int],
    skipped: dict[str, str],
    tails: dict[str, bytes] | None,
) -> None:
    """Move files that are not what was written, or that DuckDB refuses, to `skipped`."""
    looks = Looks(store, files, tails if tails is None else {p: tails[p] for p in files})
    looks.damaged |= _refused(connection, store, looks.doubtful)
    looks.remember()
    skipped |= looks.damaged
    for path in looks.damaged:
        del files[path]


def _refused(
    connection: duckdb.DuckDBPyConnection, store: Store, paths: Iterable[str]
) -> dict[str, str]:
    """The files that DuckDB cannot read as rows of their table, with the reason."""
    found = {}
    for path in paths:
        spec = TABLES[UnitPath.parse(path).table]
        described = connection.execute(f"describe {_no_rows(spec)}").fetchall()
        wanted = {name: kind for name, kind, *_ in described}
        rows = f"read_parquet({_list_of(store, [path])})"
        try:
            there = connection.execute(f"describe select * from {rows}").fetchall()
        except duckdb.Error as error:
            found[path] = f"DuckDB refuses it: {one_line(error)}"
            continue
        for name, kind, *_ in there:
            if wanted.get(name, kind) != kind:
                found[path] = f"its column {name} is {kind} in SQL, expected {wanted[name]}"
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
        connection.execute(f"create view {spec.name} as {_no_rows(spec)}")
    connection.execute(f"create view file_metadata as {_NO_METADATA}")
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


def _create_table_view(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    spec: TableSpec,
    files: dict[str, int],
    skipped: dict[str, str],
) -> None:
    """Create the view of a table; files that do not belong to it move from `files` to `skipped`."""
    while paths := [path for path in files if path.startswith(f"{spec.name}/")]:
        cause: duckdb.Error | None = None
        try:
            if _has_columns(connection, store, spec, paths):
                return
        except duckdb.Error as error:
            cause = error
        found = misfits(store, paths) or _refused(connection, store, paths)
        if not found:
            raise StoreUnusable(f"{store.url}/{spec.name}: its files do not fit together: {cause}")
        skipped |= found
        for path in found:
            del files[path]
    if skipped:  # the view may still include files that are left out
        connection.execute(f"create or replace view {spec.name} as {_no_rows(spec)}")


def _has_columns(
    connection: duckdb.DuckDBPyConnection, store: Store, spec: TableSpec, paths: list[str]
) -> bool:
    """Create a table's view over these files; whether its columns are the expected ones."""
    rows = (
        f"read_parquet({_list_of(store, paths)}, union_by_name = true, "
        "hive_partitioning = true, hive_types = {'run_id': varchar, 'stage': varchar})"
    )
    try:
        _create_over(connection, spec, rows)
    except duckdb.BinderException:
        described = connection.execute(f"describe select * from {rows}").fetchall()
        lacking = set(spec.schema.names) - {name for name, *_ in described}
        if not lacking or any(not spec.schema.field(name).nullable for name in lacking):
            return False
        # Every file is of an older version.
        nulls = ", ".join(
            f"null::{_sql_type(spec.schema.field(name).type)} as {name}" for name in lacking
        )
        _create_over(connection, spec, f"(select *, {nulls} from {rows})")
    kinds = "select column_name, data_type from duckdb_columns() where table_name = ?"
    there = connection.execute(kinds, [spec.name]).fetchall()
    described = connection.execute(f"describe {_no_rows(spec)}").fetchall()
    return dict(there) == {name: kind for name, kind, *_ in described}


def _create_over(connection: duckdb.DuckDBPyConnection, spec: TableSpec, rows: str) -> None:
    """Create a table's view over rows that have all its columns."""
    columns = ", ".join([*present_columns(spec), "run_id", "stage"])
    connection.execute(f"create or replace view {spec.name} as select {columns} from {rows}")


def _union(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    spec: TableSpec,
    groups: list[list[str]],
) -> str:
    """A table's rows in groups of files with the same columns; missing columns are null."""
    parts = []
    for paths in groups:
        rows = (
            f"read_parquet({_list_of(store, paths)}, hive_partitioning = true, "
            "hive_types = {'run_id': varchar, 'stage': varchar})"
        )
        described = connection.execute(f"describe select * from {rows}").fetchall()
        there = {name for name, *_ in described}
        columns = [
            f'"{field.name}"'
            if field.name in there
            else f'null::{_sql_type(field.type)} as "{field.name}"'
            for field in spec.schema
        ]
        parts.append(f"select {', '.join([*columns, 'run_id', 'stage'])} from {rows}")
    return f"({' union all '.join(parts)})"


def _no_rows(spec: TableSpec) -> str:
    """A query with the table's columns and no rows."""
    kinds = [*(_sql_type(field.type) for field in spec.schema), "varchar", "varchar"]
    columns = zip(kinds, [*spec.schema.names, "run_id", "stage"], strict=True)
    nulls = ", ".join(f'null::{kind} as "{name}"' for kind, name in columns)
    return f"select {nulls} where false"


def _fill_file_tables(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    files: dict[str, int],
    skipped: dict[str, str],
) -> None:
    """`files`, `skipped_files`, and `file_metadata`, which reads footers when it is queried."""
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
    if not files:
        return
    listed, skip = _list_of(store, list(files)), len(store.url) + 2
    connection.execute(
        f"""
        create or replace view file_metadata as
        with units as (
            select file_name, decode(value) as units
            from parquet_kv_metadata({listed})
            where decode(key) = 'stepmill_units'
        )
        select substr(f.file_name, {skip}) as path, f.num_rows, u.units
        from parquet_file_metadata({listed}) as f
        left join units as u on u.file_name = f.file_name
        """
    )


def _insert(connection: duckdb.DuckDBPyConnection, table: str, *columns: list) -> None:
    """Fill a table with columns of equal length."""
    values = ", ".join(["unnest(?)"] * len(columns))
    connection.execute(f"insert into {table} select {values}", columns)


def _list_of(store: Store, paths: list[str]) -> str:
    """Files as a SQL list, without `*`, so that DuckDB lists no folder again."""
    return f"[{', '.join(_literal(_escape_glob(f'{store.url}/{path}')) for path in paths)}]"


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"struct({', '.join(f'{f.name} {_sql_type(f.type)}' for f in kind)})"
    if pa.types.is_timestamp(kind):
        return "timestamptz"
    return _SQL_TYPES[kind]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escape_glob(path: str) -> str:
    return path.translate(_GLOB_ESCAPES)
