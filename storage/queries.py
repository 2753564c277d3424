"""Named queries with parameters: `sql/queries/NAME.sql`, for what a view cannot express.

The header comment of a query says what a row is; its parameters are written `$name`.
"""

from functools import cache
from importlib import resources
from typing import Any

import duckdb


def ask(connection: duckdb.DuckDBPyConnection, name: str, **values: Any) -> list[dict[str, Any]]:
    """The rows of a named query, each by column."""
    return relation(connection, name, **values).to_arrow_table().to_pylist()


def relation(
    connection: duckdb.DuckDBPyConnection, name: str, **values: Any
) -> duckdb.DuckDBPyRelation:
    """The relation of a named query.

    Raises:
        FileNotFoundError: no query has that name.
        duckdb.Error: a parameter is missing, or the query has no such parameter.
    """
    return connection.sql(text_of(name), params=values)


@cache
def text_of(name: str) -> str:
    """The statement of a named query.

    Raises:
        FileNotFoundError: no query has that name.
    """
    return (resources.files("storage") / "sql" / "queries" / f"{name}.sql").read_text()
