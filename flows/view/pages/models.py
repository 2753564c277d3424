"""What was learned and from what: the store's models and training sets, the newest first."""

import json
from collections.abc import Mapping
from typing import Any

from flows.view.lineage import parent_of
from flows.view.site import View
from storage.viewing import Snapshot

_MAX_SHOWN = 200


def build(view: View) -> Mapping[str, Any]:
    """The page of all models and sets, or of those of a run."""
    snapshot, run_id = view.snapshot, view.get("run")
    models, sets, reached = models_of(snapshot), sets_of(snapshot), accuracies_of(snapshot)
    shown = [each for each in models.values() if not run_id or run_id == each["run_id"]]
    built = [each for each in sets.values() if not run_id or run_id in each["runs"]]
    return {
        "run_id": run_id,
        "models": [
            {**each, "parent": parent_of(each["base"], models), "reached": reached.get(name)}
            for each in shown[:_MAX_SHOWN]
            for name in [each["model_id"]]
        ],
        "sets": built[:_MAX_SHOWN],
        "known_sets": sets,
        "num_models": len(shown),
        "num_sets": len(built),
        "max_shown": _MAX_SHOWN,
    }


def models_of(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """The models of the store by id, the newest first, each as it was registered last."""

    def find() -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for row in snapshot.ask("models_of_store"):
            found.setdefault(row["model_id"], row)
        return found

    return snapshot.cached("models", find)


def sets_of(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """The training sets of the store by name, the newest first; `runs` gave the solutions."""

    def find() -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for row in snapshot.ask("training_sets_of_store"):
            more = json.loads(row["source"] or "{}").get("more_runs") or []
            found.setdefault(row["name"], {**row, "runs": [row["run_id"], *more]})
        return found

    return snapshot.cached("training sets", find)


def accuracies_of(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """By policy, pass@1 as it was measured last."""
    return snapshot.cached(
        "accuracy of models",
        lambda: {row["policy"]: row["measured"] for row in snapshot.ask("accuracy_of_models")},
    )
