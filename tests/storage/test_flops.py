"""The view `flops`: 2 x parameters x tokens computed, 6 x parameters x tokens trained on."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from schemas.rows import Model, ModelRole, StepScores
from storage import connect, query


def rows(store, sql):
    return query(connect(store.url), sql).fetchall()


def model(name: str, role: ModelRole = "policy", *, num_parameters=None, **metrics):
    return Model(
        model_id=name,
        role=role,
        path=f"checkpoints/{name}",
        base=None,
        training_set=None,
        metrics=json.dumps(metrics),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        num_parameters=num_parameters,
    )


@pytest.fixture
def spent(store, unit_of, make_trajectory):
    """Two solutions by a pretrained policy, one by an unknown one, a search with a verifier."""
    store.commit(
        unit_of("models", stage="pretraining", name="policy"),
        [model("small", num_parameters=100, num_tokens=1000)],
    )
    store.commit(
        unit_of("models", stage="prm_training", name="verifier"),
        [model("prm", "verifier", tokens=50, num_parameters=None)],
    )
    cost = {"prompt_tokens": 10, "cached_tokens": 4, "generated_tokens": 6, "scored_tokens": 0}
    store.commit(
        unit_of("trajectories"),
        [
            make_trajectory("a", policy="small", **cost),
            make_trajectory("b", policy="small", **{**cost, "cached_tokens": 0}),
            make_trajectory("c", policy="elsewhere", **cost),
        ],
    )
    searched = {**cost, "scored_tokens": 20, "strategy": "best_of_n", "verifier": "prm"}
    store.commit(
        unit_of("trajectories", name="eval.best_of_n", stage="search"),
        [make_trajectory("d", policy="small", budget=1, **searched)],
    )
    store.commit(
        unit_of("step_scores", stage="scoring"),
        [
            StepScores(
                trajectory_id="a", verifier="prm", scores=(0.5,), scored_tokens=30, cached_tokens=5
            )
        ],
    )
    return store


def test_operations_by_hand(spent):
    columns = "stage, strategy, model, kind, num_parameters, num_tokens, flops"
    found = rows(spent, f"select {columns} from flops order by all")
    assert found == [
        ("pretraining", None, "small", "training", 100, 1000, 6 * 100 * 1000),
        ("prm_training", None, "prm", "training", None, 50, None),
        ("sampling", "sample", "elsewhere", "inference", None, 12, None),
        ("sampling", "sample", "small", "inference", 100, 12 + 16, 2 * 100 * 28),
        ("scoring", "score", "prm", "inference", None, 25, None),
        ("search", "best_of_n", "prm", "inference", None, 20, None),
        ("search", "best_of_n", "small", "inference", 100, 12, 2 * 100 * 12),
    ]
    key = "run_id, stage, strategy, role, model, kind"
    assert rows(spent, f"select {key} from flops group by {key} having count(*) > 1") == []


def test_older_stores_have_parameters_among_the_metrics(store, unit_of):
    facts = json.dumps({"num_parameters": 7, "num_tokens": 10})
    known = replace(model("old"), metrics=facts)
    unreadable = replace(model("broken", num_parameters=3), metrics="{nan")
    store.commit(unit_of("models", stage="pretraining", name="policy"), [known, unreadable])
    assert rows(store, "select model, num_parameters, flops from flops") == [("old", 7, 420.0)]
