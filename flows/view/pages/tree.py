"""A problem's search trees: one, or two searches side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.tables.search_tree import build_tree
from flows.view.site import NotThere, View
from flows.view.trees import draw
from schemas.units import derive_id

_MAX_NODES = 5000


def build(view: View) -> Mapping[str, Any]:
    """The page of one search of a problem, or of two."""
    run_id, problem_id = view.need("run"), view.need("id")
    key = {"run_id": run_id, "problem_id": problem_id}
    searches = searches_of(view.snapshot.ask("decisions_of_problem", **key))
    if not searches:
        raise NotThere(f"run {run_id} has no search of problem {problem_id}")
    asked = [view.get("search") or next(iter(searches)), view.get("with")]
    for name in filter(None, asked):
        if name not in searches:
            raise NotThere(f"problem {problem_id} of run {run_id} has no search {name}")
    problem = view.snapshot.ask("problem_of_run", **key)
    return {
        **key,
        "problem": problem[0] if problem else None,
        "searches": searches,
        "first": asked[0],
        "second": asked[1],
        "trees": [
            _tree(view, key, searches[name]) | {"name": name} for name in filter(None, asked)
        ],
    }


def searches_of(decisions: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The searches of a problem by a short name, each with its picks."""
    found: dict[str, dict[str, Any]] = {}
    for row in decisions:
        search = {name: row[name] for name in ("strategy", "budget", "policy", "verifier")}
        name = derive_id(*search.values())[:8]
        found.setdefault(name, {**search, "picks": []})["picks"].append(row)
    return found


def _with_labels(
    rows: Sequence[Mapping[str, Any]], labels: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of a search, each step with its labels."""
    found: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for label in labels:
        found.setdefault((label["trajectory_id"], label["step_index"]), []).append(label)
    return [
        {
            **row,
            "steps": [
                {**step, "labels": found.get((row["trajectory_id"], index), ())}
                for index, step in enumerate(row["steps"])
            ],
        }
        for row in rows
    ]


def _tree(view: View, key: Mapping[str, str], search: Mapping[str, Any]) -> dict[str, Any]:
    names = ("strategy", "budget", "policy", "verifier")
    asked = {**key, **{name: search[name] for name in names}}
    rows = _with_labels(
        view.snapshot.ask("search_tree", **asked), view.snapshot.ask("labels_of_search", **asked)
    )
    main = {
        row["trajectory_id"]: row["pick"]
        for row in search["picks"]
        if row["is_main"] and row["trajectory_id"] is not None
    }
    num_steps = sum(len(row["steps"]) for row in rows)
    too_large = num_steps > _MAX_NODES
    return {
        "search": search,
        "num_rows": len(rows),
        "num_steps": num_steps,
        "drawing": None if too_large else draw(build_tree(rows), main),
        "max_nodes": _MAX_NODES,
    }
