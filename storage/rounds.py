"""What a loop's rounds were made of, as the store says."""

import json
from typing import Any

from storage.catalog import connect
from storage.store import Store

_GROWN = """
select
    sum(num_problems) as num_problems,
    sum(num_solved) as num_solved,
    sum(num_solutions) as num_solutions,
    sum(num_right) as num_right,
    sum(num_texts) as num_texts,
    sum(num_paths) as num_paths,
    sum(num_tokens) as num_tokens
from rounds
where run_id = ? and round = ? and policy = ?
"""
_TRAINED = "select metrics from models where run_id = ? and model_id = ?"


def grown_counts(store: Store, run_id: str, number: int, policy: str) -> dict[str, float]:
    """What a policy's solutions of a round are, over all splits; see the view `rounds`."""
    with connect(store.url) as connection:
        found = connection.sql(_GROWN, params=[run_id, number, policy])
        (row,) = found.fetchall()
        return {name: float(value or 0) for name, value in zip(found.columns, row, strict=True)}


def training_metrics(store: Store, run_id: str, model_id: str) -> dict[str, Any]:
    """The figures that a model of the run was registered with.

    Raises:
        ValueError: the run has no such model.
    """
    with connect(store.url) as connection:
        found = connection.sql(_TRAINED, params=[run_id, model_id]).fetchall()
    if not found:
        raise ValueError(f"run {run_id} has no model {model_id}")
    return json.loads(found[0][0])
