"""Weights spread over two workers: the same training, with half of the memory on each."""

import shutil
from pathlib import Path

import pytest
import torch

pytestmark = [pytest.mark.slow, pytest.mark.ray]
RECIPE = {"max_steps": 6, "batch_size": 8, "hidden_lr": 1e-3, "save_every_steps": 3}
# Batches are cut for the rows that a worker holds at once: equal on one process and on two.
PLAIN = {"micro_batch_size": 4}
SHARDED = {"num_workers": 2, "sharding": "full"}
TOLERANCE = {"adamw": 1e-5, "muon": 1e-3}
"""Muon orthogonalises in bfloat16."""


def assert_close(one: str, other: str, tolerance: float) -> None:
    from safetensors.torch import load_file

    first, second = (load_file(Path(path) / "model.safetensors") for path in (one, other))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.allclose(weight, second[name], atol=tolerance), name


@pytest.mark.parametrize(("method", "optimizer"), [("sft", "muon"), ("dpo", "adamw")])
def test_a_sharded_policy_is_that_of_one_process(
    make_set, make_job, train, right_rows, pairs, local_ray, method, optimizer
):
    folder = make_set(right_rows if method == "sft" else pairs)
    recipe = {**RECIPE, "optimizer": optimizer}
    plain = train(make_job(folder, method, **recipe, **PLAIN), work="plain")
    sharded = train(make_job(folder, method, **recipe, **SHARDED), cpus_per_worker=0.5)
    assert_close(plain.path, sharded.path, TOLERANCE[optimizer])
    assert sharded.counts == plain.counts
    share = sharded.metrics["state_bytes_per_worker"] / plain.metrics["state_bytes_per_worker"]
    assert share == pytest.approx(0.5, abs=0.05)


def test_a_sharded_verifier_is_that_of_one_process_and_resumes(
    prm_job, make_set, train, toy_rows, local_ray, tmp_path
):
    folder, recipe = make_set(toy_rows(40)), {**RECIPE, "optimizer": "adamw"}
    plain = train(prm_job(**recipe, **PLAIN), set_folder=folder, work="plain")
    job = prm_job(**recipe, **SHARDED)
    sharded = train(job, set_folder=folder, cpus_per_worker=0.5)
    assert_close(plain.path, sharded.path, TOLERANCE["adamw"])
    for name in ("heldout_loss", "step_auc"):
        assert sharded.metrics[name] == pytest.approx(plain.metrics[name], abs=1e-4)

    # As after a kill between the two checkpoints.
    shutil.rmtree(tmp_path / "work" / "checkpoints" / "checkpoint-6")
    shutil.rmtree(sharded.path)
    steps = []
    again = train(
        job,
        set_folder=folder,
        cpus_per_worker=0.5,
        on_progress=lambda report: steps.append(report["step"]),
    )
    assert steps == [6]
    assert again.model_id == sharded.model_id
