"""SQL over a store: a read-only DuckDB connection with a view per table and the views of `sql/`.

The connection lives in memory, may read files below the root and nothing else, has no network,
and its settings are locked. `query` lets one reading statement through.
"""

from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.rows import TABLES, TableSpec
from storage.store import Store

_SQL_TYPES = {
    pa.string(): "varchar",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
}
_READING = {
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
}


def connect(root: str | Path) -> duckdb.DuckDBPyConnection:
    """Open a store for reading: a view per table (with `run_id` and `stage`) and all SQL views.

    Raises:
        StoreUnusable: the root is not a store.
    """
    store = Store(root, create=False)
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    folders = {f"{store.root}/", f"{_escape_glob(str(store.root))}/"}
    connection.execute(f"set allowed_directories = [{', '.join(map(_literal, sorted(folders)))}]")
    connection.execute("set enable_external_access = false")
    for spec in TABLES.values():
        connection.execute(_table_view(store, spec))
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


def _table_view(store: Store, spec: TableSpec) -> str:
    folder = store.root / spec.name
    if any(folder.glob("run_id=*/stage=*/*.parquet")):
        pattern = f"{_escape_glob(str(folder))}/**/*.parquet"
        source = (
            f"read_parquet({_literal(pattern)}, union_by_name = true, hive_partitioning = true, "
            "hive_types = {'run_id': varchar, 'stage': varchar})"
        )
        return f"create view {spec.name} as select * from {source}"
    columns = ", ".join(f"null::{_sql_type(f.type)} as {f.name}" for f in spec.schema)
    return (
        f"create view {spec.name} as "
        f"select {columns}, null::varchar as run_id, null::varchar as stage where false"
    )


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
