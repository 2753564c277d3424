"""Named queries with parameters: `sql/queries/NAME.sql`, for what a view cannot ask.

A query's header comment says what one row is; its parameters are `$name`.
"""

from functools import cache
from importlib import resources
from typing import Any

import duckdb


def ask(connection: duckdb.DuckDBPyConnection, name: str, **values: Any) -> list[dict[str, Any]]:
    """The rows of a named query, by column."""
    return relation(connection, name, **values).to_arrow_table().to_pylist()


def relation(
    connection: duckdb.DuckDBPyConnection, name: str, **values: Any
) -> duckdb.DuckDBPyRelation:
    """A named query, to be read in any form.

    Raises:
        FileNotFoundError: there is no query of that name.
        duckdb.Error: a parameter is missing, or not one of the query's.
    """
    return connection.sql(_text(name), params=values)


@cache
def _text(name: str) -> str:
    return (resources.files("storage") / "sql" / "queries" / f"{name}.sql").read_text()
