"""Figures in the store about the rounds of a loop."""

import json
from typing import Any

from storage.catalog import connect
from storage.queries import ask
from storage.store import Store


def grown_counts(store: Store, run_id: str, number: int, policy: str) -> dict[str, float]:
    """Counts of a policy's solutions of a round, over all splits; see the view `rounds`."""
    with connect(store.url) as connection:
        (row,) = ask(connection, "solutions_of_round", run_id=run_id, round=number, policy=policy)
    return {name: float(value or 0) for name, value in row.items()}


def training_metrics(store: Store, run_id: str, model_id: str) -> dict[str, Any]:
    """The figures that a model of the run was registered with.

    Raises:
        ValueError: the run does not have the model.
    """
    with connect(store.url) as connection:
        found = ask(connection, "model_of_run", run_id=run_id, model_id=model_id)
    if not found:
        raise ValueError(f"run {run_id} has no model {model_id}")
    return json.loads(found[0]["metrics"])
