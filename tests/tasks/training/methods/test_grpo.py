"""GRPO on the shipped policy with a real engine."""

import json
import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
import torch

from schemas.training.grpo import GrpoConfig
from schemas.units import Unit
from storage import connect, query
from tasks.models.folders import identify_model, resolve_model
from tasks.training.drawing import EpochSampler
from tasks.training.models import load_weights
from tasks.training.task import train_unit
from tasks.training.train import Trained, train_model

RECIPE = {
    "batch_size": 16,
    "group_size": 8,
    "max_new_tokens": 48,
    "max_steps": 6,
    "save_every_steps": 2,
    "hidden_lr": 5e-3,
}


class Interrupted(Exception):
    """Stands for anything that ends a process."""


@pytest.fixture
def trained(make_set, make_job, train, start_states) -> Trained:
    """Trained to answer 17 to every question."""
    for state in start_states:
        state["answer"] = "17"
    job = make_job(make_set(start_states), "grpo", **RECIPE)
    return train(job, work="whole")


@pytest.mark.slow
def test_a_reward_moves_the_policy_and_an_interruption_changes_nothing(
    make_set, make_job, train, start_states, trained, tmp_path
):
    rewards = [point["reward"] for point in trained.curve]
    assert len(rewards) == 6
    # Nearly every solution has an answer, and it is wrong.
    assert all(0.1 <= reward <= 1 for reward in rewards)
    assert trained.curve[-1]["generated_tokens"] == trained.metrics["generated_tokens"] > 6 * 16
    assert {"p_right", "p_right_stage_1"} & set(trained.curve[0]) == {"p_right", "p_right_stage_1"}
    # The engine had the weights of each step: its log probabilities are the model's.
    differences = [point["sampling/sampling_logp_difference/max"] for point in trained.curve]
    assert max(differences) < 1e-3

    job = make_job(make_set(start_states), "grpo", **RECIPE)

    def interrupt(report):
        if report["step"] == 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(job, work="cut", on_progress=interrupt)
    steps = []
    again = train(job, work="cut", on_progress=lambda report: steps.append(report["step"]))
    assert steps == [3, 4, 5, 6]
    whole, resumed = (load_weights(Path(each.path)) for each in (trained, again))
    for (name, a), b in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5), name
    assert again.curve[-1]["generated_tokens"] == trained.curve[-1]["generated_tokens"]
    assert not list((tmp_path / "cut").glob("served-*"))


@pytest.mark.slow
@pytest.mark.ray
def test_a_training_under_ray_registers_its_policy(
    store, make_set, make_job, start_states, local_ray
):
    unit = Unit(run_id="run", stage="policy_training", name="policy-1", table="models")
    recipe = {**RECIPE, "max_steps": 2, "num_workers": 1}
    job = make_job(make_set(start_states), "grpo", **recipe)
    reports = []
    receipt = train_unit.fn(store.url, unit, job, job.training_set, reports.append)
    (model,) = store.read(receipt.path)
    assert (model.role, model.base) == ("policy", "world-policy")
    folder = store.local_folder(model.path)
    assert identify_model(str(folder)) == model.model_id
    trained, base = (load_weights(each) for each in (folder, resolve_model("world-policy")))
    pairs = zip(trained.parameters(), base.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)
    metrics = json.loads(model.metrics)
    assert (metrics["steps"], metrics["training_rows"]) == (2, 8)
    assert [report["step"] for report in reports] == [1, 2]
    curve = store.read("metrics/run_id=run/stage=policy_training/policy-1.parquet")
    tokens = {row.bin: row.value for row in curve if row.metric == "generated_tokens"}
    assert tokens["step=2"] == metrics["generated_tokens"] > tokens["step=1"] > 0


@pytest.mark.slow
def test_every_solution_becomes_a_row_once_however_often_training_is_killed(
    store, make_set, make_job, train, start_states
):
    for state in start_states:
        state["answer"] = "17"
    unit = Unit(run_id="run", stage="policy_training", name="policy-1", table="models")
    job = make_job(make_set(start_states), "grpo", **RECIPE)
    options = {"root": store.url, "unit": unit}

    process = multiprocessing.get_context("spawn").Process(
        target=_train_until_killed, args=(job, options, store.url)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    trained = train(job, work="store/work", **options)
    paths = store.files("trajectories", run_id="run", stage="policy_training")
    assert [Path(path).stem for path in paths] == [f"policy-1.{n:06d}-0" for n in (2, 4, 6)]
    rows = [row for path in paths for row in store.read(path)]
    steps = Counter(row.training_step for row in rows)
    assert steps == {step: RECIPE["batch_size"] for step in range(RECIPE["max_steps"])}
    assert len({row.trajectory_id for row in rows}) == len(rows)
    assert sum(row.generated_tokens for row in rows) == trained.metrics["generated_tokens"]
    assert {row.strategy for row in rows} == {"grpo"}
    groups = Counter(row.group_id for row in rows)
    assert set(groups.values()) == {RECIPE["group_size"]}
    for row in rows:
        assert row.policy.endswith(f"+policy-1@{row.training_step}")
        assert row.budget == RECIPE["group_size"]
        if row.status == "truncated":
            assert (row.reward, row.answer, row.correct) == (0.0, None, None)
        elif row.correct:
            assert (row.reward, row.answer) == (1.0, "17")
        else:
            assert row.reward == (0.0 if row.answer is None else 0.2)
        assert (row.branch_step is None) == (row.parent_id is None)
    equal = sum(len({row.reward for row in rows if row.group_id == group}) == 1 for group in groups)
    share = trained.metrics["mean_zero_variance_share"]
    assert share == pytest.approx(equal / len(groups))
    # No stage reads them as the sampled solutions of a set.
    (sampled,) = query(connect(store.url), "select count(*) from sampled_solutions").fetchall()
    assert sampled == (0,)


def _train_until_killed(job, options, root):
    def die(report):
        if report["step"] == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    train_model(
        job,
        Path(job.training_set),
        checkpoints_dir=Path(root) / "ck",
        work_dir=Path(root) / "work",
        on_progress=die,
        **options,
    )


@pytest.mark.parametrize("loss", ["dapo", "grpo", "dr_grpo"])
def test_the_loss_has_a_name_and_the_default_is_that_of_older_versions(loss):
    from trl.trainer.grpo_config import GRPOConfig as TrlGrpoConfig

    assert GrpoConfig(loss=loss).loss == loss
    assert GrpoConfig().loss == TrlGrpoConfig.__dataclass_fields__["loss_type"].default


def test_too_few_start_states_for_a_batch_are_refused(make_set, make_job, train, start_states):
    job = make_job(make_set(start_states[:2]), "grpo", batch_size=16, group_size=4)
    with pytest.raises(ValueError, match=r"at least 4 start states, .* 16 solutions holds, got 2"):
        train(job)


def test_the_order_of_an_epoch_depends_on_nothing_but_the_epoch():
    sampler = EpochSampler(range(6), mini_repeat_count=2, batch_size=3, seed=5)
    first = list(sampler)
    assert first[::2] == first[1::2]
    assert sorted(first[::2]) == [0, 1, 2, 3, 4, 5]
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    other = EpochSampler(range(6), mini_repeat_count=2, batch_size=3, seed=5)
    other.set_epoch(1)
    assert list(other) == second
