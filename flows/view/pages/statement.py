"""Any statement that reads, on the terminal's connection, with a limit of time and rows."""

from collections.abc import Mapping
from typing import Any

import duckdb

from flows.view.site import View
from storage.viewing import Rows, TooSlow

_MAX_ROWS = 200
_TIMEOUT_S = 30.0
_EXAMPLES = (
    "select * from cost order by generated_tokens desc limit 20",
    "select run_id, policy, split, k, pass_at_k from pass_at_k order by all",
    "select status, count(*) as num_rows from trajectories group by status",
    "describe trajectory_list",
)


def build(view: View) -> Mapping[str, Any]:
    """The statement of the address and its rows, or why there are none."""
    statement = view.get("statement")
    rows: Rows | None = None
    mistake = None
    if statement:
        try:
            rows = view.snapshot.select(statement, max_rows=_MAX_ROWS, timeout_s=_TIMEOUT_S)
        except duckdb.OperationalError:
            raise  # a file is at fault
        except (duckdb.Error, TooSlow, ValueError) as error:
            mistake = str(error)
    names = view.snapshot.cached("views", lambda: view.snapshot.rows(_VIEWS))
    return {
        "statement": statement,
        "rows": rows,
        "mistake": mistake,
        "examples": _EXAMPLES,
        "views": [row["name"] for row in names],
        "max_rows": _MAX_ROWS,
        "timeout_s": _TIMEOUT_S,
    }


_VIEWS = """
select view_name as name from duckdb_views() where not internal
union all
select table_name as name from duckdb_tables() where not internal
order by name
"""
