"""The task: a folder and its row, in a local store and in an object store."""

import json

import pyarrow.parquet as pq

from schemas.rows import TRAINING_SETS
from storage import Store
from tasks.dataset_export.task import build_unit


def test_a_set_lies_in_an_object_store_as_in_a_folder(
    store, s3_store, unit_of, make_plan, make_problem, make_trajectory
):
    unit = unit_of(TRAINING_SETS.name, name="rest-0123456789ab", stage="dataset_export")
    found = {}
    for each in (store, s3_store):
        problem = make_problem(split="train")
        each.commit(unit_of("problems", name="train", stage="problems"), [problem])
        each.commit(unit_of("trajectories", name="train.00000"), [make_trajectory()])
        told: list[int] = []
        receipt = build_unit.fn(each.url, unit, make_plan({"type": "rest"}), told.append)
        assert (receipt.num_rows, receipt.was_there, told) == (1, False, [1])
        again = build_unit.fn(each.url, unit, make_plan({"type": "rest"}), told.append)
        assert (again.was_there, told) == (True, [1])
        folder = Store(each.url).local_folder(f"datasets/{unit.name}")
        found[each.url] = {
            "files": sorted(file.name for file in folder.iterdir()),
            "rows": pq.read_table(folder / "train-00000.parquet").to_pylist(),
            "facts": json.loads((folder / "set.json").read_text()),
        }
    local, remote = found.values()
    assert local == remote
    assert local["files"] == ["README.md", "lengths.png", "set.json", "train-00000.parquet"]
