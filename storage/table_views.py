"""The views of tables and of files' metadata, over a fixed list of committed files.

Every file is read by the names of its table's columns. DuckDB is told the columns (`schema`), so
that opening a connection and binding a query read no footer, and a column that an older file lacks
is null. (With `union_by_name` it reads the footers of all files for each of the two.) Hence only
files that were looked at before (`verified.py`) may be in the list.

`run_id` and `stage` are cut from a file's name; a filter on them leaves out files before they are
opened. The lists are variables of the connection, as long texts of SQL would be parsed once for
each mention of a table in a query. DuckDB's cursors do not share them: `open_cursor` does.
"""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from schemas.rows import TableSpec
from storage.older_rows import present_columns

_GLOB_ESCAPES = {ord(c): f"[{c}]" for c in "*?["}
_FILES, _UNCOUNTED = "stepmill_files", "stepmill_files_without_units"
_SQL_TYPES = {
    pa.string(): "varchar",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
}
_NO_COUNTS = "select null::varchar as path, null::bigint as num_rows where false"
NO_METADATA = (
    "select null::varchar as path, null::bigint as num_rows, null::varchar as units where false"
)
"""A query with the columns of `file_metadata` and no rows."""


def create_table_view(
    connection: duckdb.DuckDBPyConnection, url: str, spec: TableSpec, paths: Sequence[str]
) -> None:
    """Create a table's view over these files of the store at `url`; no file is opened."""
    variable = f"{_FILES}_of_{spec.name}"
    _set_list(connection, variable, url, paths)
    kinds = ", ".join(
        f"{literal(f.name)}: {{'name': {literal(f.name)}, 'type': {literal(sql_type(f.type))}, "
        "'default_value': null}"
        for f in spec.schema
    )
    folder = len(f"{url}/{spec.name}/".split("/"))
    connection.execute(
        f"""
        create or replace view {spec.name} as
        select
            {", ".join(present_columns(spec))},
            substr(split_part(filename, '/', {folder}), {len("run_id=") + 1}) as run_id,
            substr(split_part(filename, '/', {folder + 1}), {len("stage=") + 1}) as stage
        from read_parquet(
            getvariable('{variable}'), schema = map {{{kinds}}}, filename = true,
            hive_partitioning = false
        )
        """
    )


def create_metadata_view(
    connection: duckdb.DuckDBPyConnection, url: str, paths: Sequence[str], uncounted: Sequence[str]
) -> None:
    """Create `file_metadata`: the units in each file, read from the footers in a query.

    Args:
        connection: has the table `files`.
        url: the root.
        paths: all files.
        uncounted: those that may not say how many rows they have, as in files of the first schema
            version; the number of rows is null for the others.
    """
    if not paths:
        return
    skip, counted = len(url) + 2, _NO_COUNTS
    _set_list(connection, _FILES, url, paths)
    if uncounted:
        _set_list(connection, _UNCOUNTED, url, uncounted)
        counted = (
            f"select substr(file_name, {skip}) as path, num_rows "
            f"from parquet_file_metadata(getvariable('{_UNCOUNTED}'))"
        )
    connection.execute(
        f"""
        create or replace view file_metadata as
        with described as (
            select substr(file_name, {skip}) as path, decode(value) as units
            from parquet_kv_metadata(getvariable('{_FILES}'))
            where decode(key) = 'stepmill_units'
        ),
        counted as ({counted})
        select f.path, c.num_rows, d.units
        from files as f
        left join described as d on f.path = d.path
        left join counted as c on f.path = c.path
        """
    )


def file_lists(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The lists of files that the views of a connection name, by the names of its variables."""
    names = connection.execute(
        "select name from duckdb_variables() where starts_with(name, ?)", [_FILES]
    ).fetchall()
    return {
        name: connection.execute("select getvariable(?)", [name]).fetchall()[0][0]
        for (name,) in names
    }


def open_cursor(
    connection: duckdb.DuckDBPyConnection, lists: Mapping[str, list[str]] | None = None
) -> duckdb.DuckDBPyConnection:
    """A cursor of a store's connection, with its views; `connection.cursor()` has no files.

    Args:
        connection: made by `storage.connect`.
        lists: what `file_lists` returned, for several threads; None to ask the connection.
    """
    cursor = connection.cursor()
    for name, files in (file_lists(connection) if lists is None else lists).items():
        cursor.execute(f"set variable {name} = ?::varchar[]", [files])
    return cursor


def no_rows(spec: TableSpec) -> str:
    """A query with a table's columns and no rows."""
    kinds = [*(sql_type(field.type) for field in spec.schema), "varchar", "varchar"]
    columns = zip(kinds, [*spec.schema.names, "run_id", "stage"], strict=True)
    nulls = ", ".join(f'null::{kind} as "{name}"' for kind, name in columns)
    return f"select {nulls} where false"


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's type for the Arrow type of a column."""
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"struct({', '.join(f'{f.name} {sql_type(f.type)}' for f in kind)})"
    if pa.types.is_timestamp(kind):
        return "timestamptz"
    return _SQL_TYPES[kind]


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def escape_glob(path: str) -> str:
    """A path as a pattern that matches it alone."""
    return path.translate(_GLOB_ESCAPES)


def _set_list(
    connection: duckdb.DuckDBPyConnection, name: str, url: str, paths: Sequence[str]
) -> None:
    # Escaped, so that DuckDB lists no folder.
    top = escape_glob(url)
    files = [f"{top}/{escape_glob(path)}" for path in paths]
    connection.execute(f"set variable {name} = ?::varchar[]", [files])
