"""The first page: the store's runs, whatever server they ran on, the newest first.

While a large store is being opened or its rows are counted, it shows what runs recorded, and says
what is missing.
"""

from collections.abc import Mapping
from typing import Any

from flows.view.site import View
from storage.viewing import Snapshot, TooSlow


def build(view: View) -> Mapping[str, Any]:
    """The runs with their totals, as far as they are known; a run going on is marked."""
    snapshot = view.snapshot
    found = snapshot.cached("runs", lambda: snapshot.ask("runs_by_time"))
    files = snapshot.cached("files", lambda: snapshot.rows(FILES_OF_RUNS))
    counted = snapshot.soon("counts", lambda: count_rows(snapshot)) if snapshot.is_whole else None
    totals, failed = counted or ({}, {})
    names = [row["run_id"] for row in (*found, *files)]
    known = {row["run_id"] for row in found}
    is_live = any(row["num_started"] for row in found)
    return {
        "runs": [{**row, "state": state_of(row)} for row in found],
        "unrecorded": [row["run_id"] for row in files if row["run_id"] not in known],
        "num_files": sum(row["num_files"] for row in files),
        "totals": {name: (totals or {}).get(name) for name in names},
        "failed": {name: failed.get(name, 0) for name in names},
        "is_whole": snapshot.is_whole,
        "is_counted": counted is not None,
        "is_too_slow": totals is None,
        "look_s": 1 if counted is None else 3 if is_live else None,
    }


Counts = tuple[dict[str, dict[str, Any]] | None, dict[str, int]]


def count_rows(snapshot: Snapshot) -> Counts:
    """By run its rows and tokens, None if it takes too long, and how many of its units failed."""
    failed = {row["run_id"]: row["num_units"] for row in snapshot.rows(_FAILED_UNITS)}
    try:
        totals = {row["run_id"]: row for row in snapshot.ask("totals_of_runs")}
    except TooSlow:
        totals = None
    return totals, failed


def state_of(run: Mapping[str, Any]) -> str:
    """How a run stands, by its parts."""
    if run["num_started"]:
        return "going on"
    return "failed" if run["num_failed"] else "completed"


FILES_OF_RUNS = "select run_id, count(*) as num_files from files group by run_id order by run_id"
"""The runs by name, with their numbers of files."""
_FAILED_UNITS = "select run_id, count(*) as num_units from quarantined group by run_id"
