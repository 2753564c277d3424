"""A loop's rounds: what each policy reached, what it learned from, what it sampled."""

from collections.abc import Mapping
from typing import Any

from flows.tables.rounds import round_table_rows
from flows.view.pages.models import models_of, sets_of
from flows.view.pages.results import charts_of
from flows.view.site import NotThere, View
from schemas.metric_names import Bin
from schemas.rows import METRICS, Metric

_CHARTED = ("pass@1", "majority@")


def build(view: View) -> Mapping[str, Any]:
    """The page of a loop's run."""
    run_id, snapshot = view.need("run"), view.snapshot
    names = METRICS.schema.names
    found = [
        Metric(**{name: row[name] for name in names})
        for row in snapshot.ask("curves_of_run", run_id=run_id)
    ]
    figures = [row for row in found if row.arm is not None and Bin.parse(row.bin).round]
    sampled = snapshot.ask("rounds_of_run", run_id=run_id)
    if not figures and not sampled:
        raise NotThere(f"run {run_id} has no rounds: `stepmill improve` makes them")
    learned = [each for each in models_of(snapshot).values() if each["run_id"] == run_id]
    whole = [row for row in figures if not Bin.parse(row.bin).kind]
    metrics = sorted({row.metric for row in whole if row.metric.startswith(_CHARTED)})
    return {
        "run_id": run_id,
        "rows": round_table_rows(whole) if any("@" in row.metric for row in whole) else [],
        "charts": [
            chart
            for name in metrics
            for chart in charts_of([row for row in whole if row.metric == name], name)
        ],
        "sampled": sampled,
        "learned": sorted(learned, key=lambda each: each["created_at"]),
        "known_models": models_of(snapshot),
        "known_sets": sets_of(snapshot),
    }
