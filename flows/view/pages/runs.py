"""The first page: the store's runs, whatever server they ran on, the newest first."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from flows.view.site import View
from storage.viewing import Snapshot


def build(view: View) -> Mapping[str, Any]:
    """The runs with their totals; a run going on is marked."""
    found, totals, quarantined = figures_of(view.snapshot)
    failed = Counter({row["run_id"]: row["num_units"] for row in quarantined})
    runs = [
        {**row, "state": state_of(row), "num_failed_units": failed[row["run_id"]]} for row in found
    ]
    known = {row["run_id"] for row in runs}
    unrecorded = [{"run_id": name, **row} for name, row in totals.items() if name not in known]
    return {
        "runs": runs,
        "unrecorded": sorted(unrecorded, key=lambda row: row["run_id"]),
        "totals": totals,
        "is_live": any(row["state"] == "going on" for row in runs),
    }


Rows = list[dict[str, Any]]


def figures_of(snapshot: Snapshot) -> tuple[Rows, dict[str, dict[str, Any]], Rows]:
    """The runs by time, their totals by run, and how many units of each failed."""
    return (
        snapshot.cached("runs", lambda: snapshot.ask("runs_by_time")),
        snapshot.cached(
            "totals", lambda: {row["run_id"]: row for row in snapshot.ask("totals_of_runs")}
        ),
        snapshot.cached("quarantined", lambda: snapshot.rows(_FAILED_UNITS)),
    )


def state_of(run: Mapping[str, Any]) -> str:
    """How a run stands, by its parts."""
    if run["num_started"]:
        return "going on"
    return "failed" if run["num_failed"] else "completed"


_FAILED_UNITS = "select run_id, count(*) as num_units from quarantined group by run_id"
