"""A training as a unit of the store, and the sets as other tools read them."""

import json

import pytest

from schemas.errors import ModelUnusable
from schemas.units import Unit
from tasks.models.folders import identify_model
from tasks.training.task import check_job, train_unit

UNIT = Unit(run_id="run", stage="policy_training", name="policy-1", table="models")


@pytest.fixture
def stored_set(store, make_set, odd_rows):
    """The set `mine` of the store."""
    folder = make_set(odd_rows, policy=identify_model("world-policy"))
    (store.root / "datasets").mkdir()
    folder.rename(store.root / "datasets" / "mine")
    return "mine"


def test_a_trained_policy_is_registered_with_its_set_and_curve(store, stored_set, make_job):
    job = make_job(stored_set, max_steps=12)
    receipt = train_unit.fn(store.url, UNIT, job, stored_set, lambda report: None)
    (model,) = store.read(receipt.path)
    assert (model.role, model.base, model.training_set) == ("policy", "world-policy", "mine")
    folder = store.local_folder(model.path)
    assert identify_model(str(folder)) == model.model_id == folder.name
    metrics = json.loads(model.metrics)
    assert metrics["training_rows"] == 8
    assert metrics["config"]["method"]["type"] == "sft"

    curve = store.read("metrics/run_id=run/stage=policy_training/policy-1.parquet")
    points = {(row.bin, row.metric): row for row in curve}
    loss = points["step=10", "loss"]
    assert (loss.policy, loss.strategy, loss.set_name) == (model.model_id, "sft", "mine")
    assert loss.num_problems == 8
    assert loss.value < points["step=1", "loss"].value
    assert points["step=10", "tokens"].value > points["step=1", "tokens"].value > 0
    assert points["step=10", "seconds"].value > 0
    assert {"grad_norm", "learning_rate"} <= {metric for _, metric in points}

    assert not list((store.root / ".unfinished").glob("*/*"))
    again = train_unit.fn(store.url, UNIT, job, stored_set, lambda report: None)
    assert again.was_there


def test_what_cannot_be_trained_is_refused_before_any_work(store, stored_set, make_job, pairs):
    with pytest.raises(ValueError, match="method dpo expects the form preference"):
        check_job(store, make_job(stored_set, "dpo"), stored_set)
    with pytest.raises(ModelUnusable, match="expected a folder in Hugging Face format"):
        check_job(
            store, make_job(stored_set).with_fields(policy={"model": "./nowhere"}), stored_set
        )
    with pytest.raises(ValueError, match="training_set 'missing'"):
        check_job(store, make_job("missing"), "missing")


def test_every_form_loads_with_datasets(make_set, right_rows, pairs, start_states, tmp_path):
    import datasets

    for name, rows in {"sft": right_rows, "dpo": pairs, "grpo": start_states}.items():
        folder = make_set(rows, name)
        loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "c"))
        assert len(loaded) == len(rows)
        assert loaded[0] == rows[0]
