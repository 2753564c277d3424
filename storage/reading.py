"""Check that a SQL statement only reads.

DuckDB's own statement type does not suffice: it calls `with x as (copy ... to 'file') select 1` a
select, and `explain analyze` runs what it explains. So the parse tree decides.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_EXPLAIN = re.compile(
    r"explain\b(\s*analyze\b)?(\s*\(\s*(analyze|format)\b[\w\s,]*\))?\s*", re.IGNORECASE
)


def check_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Reject any text but one statement that only reads.

    Raises:
        ValueError: the text is not exactly one statement that only reads.
        duckdb.Error: the text is not SQL.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise ValueError(f"expected one SQL statement, got {len(statements)}")
    text, kind = statements[0].query, _kind(statements[0])
    if kind == "explain" and (start := _EXPLAIN.match(text)):
        explained = connection.extract_statements(text[start.end() :])
        if len(explained) != 1:
            raise ValueError(f"expected a statement to explain, got {text!r}")
        text, kind = explained[0].query, f"explain {_kind(explained[0])}"
    if kind.removeprefix("explain ") != "select":
        raise ValueError(f"expected a statement that only reads, got {kind}")
    # A new cursor, since the caller may still have an open result.
    [(serialized,)] = connection.cursor().execute("select json_serialize_sql(?)", [text]).fetchall()
    tree = json.loads(serialized)
    if tree["error"]:
        raise ValueError(f"expected a statement that only reads, got {tree['error_message']}")
    if writing := set(_nodes(tree)) - _READING_NODES:
        names = ", ".join(sorted(name.split("_")[0].lower() for name in writing))
        raise ValueError(f"expected a statement that only reads, got {kind} with {names}")


def _kind(statement: duckdb.Statement) -> str:
    try:
        return statement.type.name.lower()
    except ValueError:  # DuckDB has kinds that its Python module does not name
        return "one of an unknown kind"


def _nodes(tree: Any) -> Iterator[str]:
    """The types of all query nodes in a parse tree."""
    if isinstance(tree, dict):
        if str(tree.get("type")).endswith("_NODE"):
            yield tree["type"]
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)
