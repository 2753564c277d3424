"""Weights spread over two workers: the same training, with half of the memory on each."""

from pathlib import Path

import pytest
import torch


pytestmark = [pytest.mark.slow, pytest.mark.ray]
RECIPE = {"max_steps": 6, "batch_size": 8, "optimizer": "adamw", "hidden_lr": 1e-3}
SHARDED = {"num_workers": 2, "sharding": "full"}



def weights_of(path: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(Path(path) / "model.safetensors")


def assert_close(one: str, other: str) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.allclose(weight, second[name], atol=2e-4), name


@pytest.mark.parametrize("method", ["sft", "dpo"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_sharded_policy_is_that_of_one_process(
    make_set, make_job, train, right_rows, pairs, local_ray, method, optimizer
):
    folder = make_set(right_rows if method == "sft" else pairs)
    recipe = {**RECIPE, "optimizer": optimizer}
    plain = train(make_job(folder, method, **recipe), work="plain")
    sharded = train(make_job(folder, method, **recipe, **SHARDED), cpus_per_worker=0.5)
    assert_close(plain.path, sharded.path)
    assert sharded.counts == plain.counts


def test_a_sharded_verifier_is_that_of_one_process(prm_job, make_set, train, toy_rows, local_ray):
    folder = make_set(toy_rows(40))
    plain = train(prm_job(**RECIPE), set_folder=folder, work="plain")
    job = prm_job(**RECIPE, **SHARDED)
    sharded = train(job, set_folder=folder, cpus_per_worker=0.5)
    assert_close(plain.path, sharded.path)
    for name in ("heldout_loss", "step_auc"):
        assert sharded.metrics[name] == pytest.approx(plain.metrics[name], abs=1e-3)
