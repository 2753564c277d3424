"""SQL over a store: a read-only DuckDB connection with a view per table and the views of `sql/`.

The connection lives in memory, may read files below the root and nothing else, has no network of
its own, and its settings are locked. `query` lets one reading statement through.
"""

import os
import weakref
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.rows import TABLES, TableSpec
from storage.health import committed_files, unreadable_footers
from storage.locks import share
from storage.object_files import ObjectFiles
from storage.roots import LocalRoot, ObjectRoot
from storage.store import MARKER, Store

_SQL_TYPES = {
    pa.string(): "varchar",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
}
_FILES_SCHEMA = pa.schema([("path", pa.string()), ("num_bytes", pa.int64())])
_SKIPPED_SCHEMA = pa.schema([("path", pa.string()), ("reason", pa.string())])
_READING = {
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
}


def connect(root: str | Path) -> duckdb.DuckDBPyConnection:
    """Open a store for reading: a view per table (with `run_id` and `stage`) and all SQL views.

    The connection sees the files that are committed now. A file that cannot be read is left out,
    and named in the table `skipped_files`. While the connection is open, a local store is not
    compacted.

    Raises:
        StoreUnusable: the root is not a store.
    """
    store = Store(root, create=False)
    connection = duckdb.connect(":memory:")
    if isinstance(store.files_root, LocalRoot):
        weakref.finalize(connection, os.close, share(store.root / MARKER))
    files, skipped = committed_files(store)
    connection.execute("set timezone = 'UTC'")
    if isinstance(store.files_root, ObjectRoot):
        connection.register_filesystem(ObjectFiles(store.files_root, files))
    folders = {f"{store.url}/", f"{_escape_glob(store.url)}/"}
    connection.execute(f"set allowed_directories = [{', '.join(map(_literal, sorted(folders)))}]")
    connection.execute("set enable_external_access = false")
    for spec in TABLES.values():
        _create_table_view(connection, store, spec, files, skipped)
    _create_file_tables(connection, store, files, skipped)
    _create_views(connection)
    connection.execute("set lock_configuration = true")
    return connection


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """The relation of one reading statement.

    Raises:
        ValueError: there is no statement, more than one, or one that does not read.
        duckdb.Error: the statement is wrong, or reaches for something outside the root.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise ValueError(f"expected one SQL statement, got {len(statements)}")
    if statements[0].type not in _READING:
        raise ValueError(
            f"expected a statement that only reads, got {statements[0].type.name.lower()}"
        )
    return connection.sql(sql)


def view_names() -> list[str]:
    """The names of the views of `sql/`, in alphabetical order."""
    return sorted(_view_texts())


def _view_texts() -> dict[str, str]:
    folder = resources.files("storage") / "sql"
    return {
        entry.name.removesuffix(".sql"): entry.read_text()
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    }


def _create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create every view; one that reads another waits until that one is there."""
    waiting = _view_texts()
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
    """The view of a table; files that DuckDB cannot read move from `files` to `skipped`."""
    while paths := [path for path in files if path.startswith(f"{spec.name}/")]:
        source = (
            f"read_parquet({_list_of(store, paths)}, union_by_name = true, "
            "hive_partitioning = true, hive_types = {'run_id': varchar, 'stage': varchar})"
        )
        try:
            connection.execute(f"create view {spec.name} as select * from {source}")
            return
        except duckdb.Error:
            found = unreadable_footers(store, paths)
            if not found:
                raise
            skipped |= found
            for path in found:
                del files[path]
    columns = ", ".join(f"null::{_sql_type(f.type)} as {f.name}" for f in spec.schema)
    connection.execute(
        f"create view {spec.name} as "
        f"select {columns}, null::varchar as run_id, null::varchar as stage where false"
    )


def _create_file_tables(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    files: dict[str, int],
    skipped: dict[str, str],
) -> None:
    """`files`, `skipped_files`, and `file_metadata`, which reads footers when it is asked."""
    _create_from_arrow(
        connection,
        "files",
        pa.table({"path": [*files], "num_bytes": [*files.values()]}, schema=_FILES_SCHEMA),
    )
    _create_from_arrow(
        connection,
        "skipped_files",
        pa.table({"path": [*skipped], "reason": [*skipped.values()]}, schema=_SKIPPED_SCHEMA),
    )
    if not files:
        connection.execute(
            "create view file_metadata as "
            "select null::varchar as path, null::bigint as num_rows, null::varchar as units "
            "where false"
        )
        return
    listed, skip = _list_of(store, list(files)), len(store.url) + 2
    connection.execute(
        f"""
        create view file_metadata as
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


def _create_from_arrow(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    connection.register("incoming", table)
    connection.execute(f"create table {name} as select * from incoming")
    connection.unregister("incoming")


def _list_of(store: Store, paths: list[str]) -> str:
    """Files as a SQL list; without `*`, so that nothing is looked up again."""
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
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)
