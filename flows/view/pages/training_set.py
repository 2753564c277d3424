"""One training set: what it was made from, what was left out, and its rows with their sources."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flows.view.pages.models import models_of, sets_of
from flows.view.site import NotThere, View
from schemas.errors import StoreUnusable
from storage.built_sets import built_rows
from storage.viewing import Snapshot

_PAGE_ROWS = 20
_COUNTS = ("by_level", "by_source", "by_stage", "by_steps_to_go", "steps_by_label")


def build(view: View) -> Mapping[str, Any]:
    """The page of a set, with the rows from a number on."""
    name, snapshot = view.need("name"), view.snapshot
    found = snapshot.ask("training_set_by_name", name=name)
    if not found:
        raise NotThere(f"the store has no training set {name}")
    row = found[0]
    counts, config = json.loads(row["counts"]), json.loads(row["config"])
    start = _read_start(view.get("from"))
    runs = sets_of(snapshot)[name]["runs"]
    mistake, rows = None, []
    try:
        rows = built_rows(snapshot.store, row["path"], start, _PAGE_ROWS + 1)
    except (FileNotFoundError, StoreUnusable) as error:
        mistake = str(error)
    shown = rows[:_PAGE_ROWS]
    sources = _sources(snapshot, runs, shown)
    models = models_of(snapshot)
    return {
        "set": row,
        "runs": runs,
        "policies": [(name, name in models) for name in row["policy"].split(",") if name],
        "learners": [each for each in models.values() if each["training_set"] == name],
        "counts": {
            title.removeprefix("by_").replace("_", " "): _shares(counts[title])
            for title in _COUNTS
            if counts.get(title)
        },
        "left_out": [
            (what, reason.replace("_", " "), num)
            for what, reasons in (counts.get("left_out") or {}).items()
            for reason, num in reasons.items()
        ],
        "solutions": counts.get("solutions") or {},
        "config": json.dumps(config, indent=2, ensure_ascii=False),
        "mistake": mistake,
        "rows": [_shown(number, each, sources) for number, each in enumerate(shown, start)],
        "start": start,
        "next": start + _PAGE_ROWS if len(rows) > _PAGE_ROWS else None,
        "before": max(0, start - _PAGE_ROWS) if start else None,
    }


def _read_start(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 12):
        raise ValueError(f"expected from=NUMBER, the first row to show, got {text!r}")
    return int(text or 0)


def _sources(
    snapshot: Snapshot, runs: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """By id, the run and the trajectory of what these rows were made from, and its role."""
    wanted = {source for row in rows for source in row.get("source_ids") or ()}
    found: dict[str, dict[str, Any]] = {}
    for run_id in runs:
        if ids := sorted(wanted - found.keys()):
            for each in snapshot.ask("sources_of_rows", run_id=run_id, ids=ids):
                found[each["id"]] = {**each, "run_id": run_id}
    return found


def _shown(
    number: int, row: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A row for the template: its texts, its steps with labels, its sources."""
    labels = row.get("labels")
    steps = row.get("completions") or ()
    unknown = {"trajectory_id": None, "problem_id": None, "role": "not of its runs"}
    made_from = [
        sources.get(source, {"id": source, **unknown}) for source in row.get("source_ids") or ()
    ]
    of_problem = [each for each in made_from if each["problem_id"] == row["problem_id"]]
    return {
        **row,
        "number": number,
        "sources": made_from,
        "problem_run": of_problem[0]["run_id"] if of_problem else None,
        "steps": [
            {
                "text": text,
                "label": labels[place] if labels else None,
                "soft": (row.get("soft") or [None] * len(steps))[place],
            }
            for place, text in enumerate(steps)
        ],
        "texts": [
            (title, row[title])
            for title in ("prefix", "completion", "chosen", "rejected", "answer")
            if row.get(title)
        ],
    }


def _shares(counts: Mapping[str, int]) -> list[tuple[str, int, float]]:
    total = sum(counts.values()) or 1
    return [(name, num, num / total) for name, num in sorted(counts.items())]
