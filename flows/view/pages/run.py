"""One run: stages, rows, tokens, seconds, cost, what failed, its config and how others differ."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flows.view.pages.runs import state_of
from flows.view.site import NotThere, View

_MAX_FAILURES = 50


def build(view: View) -> Mapping[str, Any]:
    """The page of a run."""
    run_id, ask = view.need("run"), view.snapshot.ask
    parts = ask("parts_of_run", run_id=run_id)
    stages = view.snapshot.cached(("stages", run_id), lambda: ask("stages_of_run", run_id=run_id))
    if not parts and not stages:
        raise NotThere(f"the store has no run {run_id}")
    cost = view.snapshot.cached(("cost", run_id), lambda: ask("cost_of_runs", run_id=run_id))
    configs = ask("configs_of_run", run_id=run_id)
    other = view.get("with")
    quarantined = ask("quarantined_of_run", run_id=run_id)
    counts = {state: sum(p["state"] == state for p in parts) for state in ("started", "failed")}
    state = state_of({"num_started": counts["started"], "num_failed": counts["failed"]})
    return {
        "run_id": run_id,
        "state": state if parts else "not recorded",
        "look_s": 3 if state == "going on" else None,
        "parts": parts,
        "num_completed": sum(part["state"] == "completed" for part in parts),
        "stages": stages,
        "cost": cost,
        "has_results": any(each["table_name"] in ("metrics", "relations") for each in stages),
        "has_models": any(each["table_name"] in ("models", "training_sets") for each in stages),
        "has_rounds": _has_rounds(view, run_id),
        "quarantined": quarantined[:_MAX_FAILURES],
        "num_quarantined": len(quarantined),
        "errors": ask("errors_of_run", run_id=run_id),
        "configs": [
            {**each, "text": json.dumps(json.loads(each["config"]), indent=2, ensure_ascii=False)}
            for each in configs
        ],
        "other": other,
        "can_compare": bool(other and ask("shared_strategies", first=run_id, second=other)),
        "differences": _differences(configs, ask("configs_of_run", run_id=other)) if other else [],
        "others": [
            row["run_id"]
            for row in view.snapshot.cached("runs", lambda: ask("runs_by_time"))
            if row["run_id"] != run_id
        ],
    }


def _has_rounds(view: View, run_id: str) -> bool:
    """Whether the run is a loop's, which measured its rounds."""
    found = view.snapshot.cached(
        ("rounds", run_id), lambda: view.snapshot.ask("has_rounds", run_id=run_id)
    )
    return found[0]["has_rounds"]


def _differences(
    configs: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The fields of two runs' configs that differ, by flow and part."""
    here, there = _fields(configs), _fields(others)
    return [
        {"flow": flow, "field": field, "here": here.get(key), "there": there.get(key)}
        for key in sorted(here.keys() | there.keys())
        if here.get(key) != there.get(key)
        for flow, field in [key]
    ]


def _fields(configs: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """The fields of all parts; parts whose names have digests are numbered in their order."""
    found: dict[tuple[str, str], str] = {}
    seen: dict[str, int] = {}
    for each in configs:
        seen[each["flow"]] = seen.get(each["flow"], 0) + 1
        name = each["flow"] if seen[each["flow"]] == 1 else f"{each['flow']} {seen[each['flow']]}"
        for field, value in _flatten(json.loads(each["config"])).items():
            found[name, field] = json.dumps(value, ensure_ascii=False)
    return found


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix.removesuffix("."): value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flatten(inner, f"{prefix}{key}.")
    return flat
