"""PPO and RLOO on the shipped policy with a real engine: the solutions become rows."""

from collections import Counter, defaultdict
from math import fsum
from pathlib import Path

import pytest
import torch

from schemas.units import Unit
from tasks.models.folders import resolve_model
from tasks.training.models import load_weights

UNIT = Unit(run_id="run", stage="policy_training", name="policy-1", table="models")


def rows_of(store):
    paths = store.files("trajectories", run_id="run", stage="policy_training")
    return [row for path in paths for row in store.read(path)]


@pytest.mark.slow
def test_the_solutions_of_ppo_are_rows_that_earn_what_they_were_trained_with(
    store, make_set, make_job, train, start_states
):
    for state in start_states:
        state["answer"] = "17"
    recipe = {
        "batch_size": 8,
        "minibatches": 2,
        "group_size": 2,
        "max_new_tokens": 48,
        "max_steps": 12,
        "save_every_steps": 5,
        "value_lr": 1e-2,
    }
    job = make_job(make_set(start_states), "ppo", **recipe)
    trained = train(job, work="store/work", root=store.url, unit=UNIT)
    rows = rows_of(store)
    # A draw of 16 solutions serves four steps; checkpoints are written between draws.
    assert Counter(row.training_step for row in rows) == {0: 16, 4: 16, 8: 16}
    assert len({row.trajectory_id for row in rows}) == len(rows)
    assert {row.strategy for row in rows} == {"ppo"}
    assert sum(row.generated_tokens for row in rows) == trained.metrics["generated_tokens"]
    assert [point["step"] for point in trained.curve] == [4, 8, 12]
    for point, step in zip(trained.curve, (0, 4, 8), strict=True):
        rewards = [row.reward for row in rows if row.training_step == step]
        assert point["reward"] == pytest.approx(sum(rewards) / 16)
        # The engine had the weights of each draw: its log probabilities are the model's.
        assert point["sampling/sampling_logp_difference/max"] < 1e-3
    assert trained.curve[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert abs(trained.curve[2]["kl"]) > 1e-4
    known = dict(load_weights(resolve_model("world-policy")).named_parameters())
    changed = dict(load_weights(Path(trained.path)).named_parameters())
    assert known.keys() == changed.keys()
    assert any(not torch.equal(weight, changed[name]) for name, weight in known.items())
    card = (Path(trained.path) / "README.md").read_text()
    assert "a policy trained by ppo" in card


@pytest.mark.slow
def test_redrawn_groups_are_rows_of_their_own_and_counted_in_the_card(
    store, make_set, make_job, train, start_states
):
    for state in start_states[:6]:
        state["answer"] = "0"  # nobody solves these
    recipe = {
        "batch_size": 16,
        "group_size": 4,
        "max_new_tokens": 48,
        "max_steps": 2,
        "save_every_steps": 1,
        "max_redraws": 2,
        "overlong_buffer": 24,
        "reward": {"type": "grade", "parsable": 0.0, "neither": 0.0},
    }
    job = make_job(make_set(start_states), "rloo", **recipe)
    trained = train(job, work="store/work", root=store.url, unit=UNIT)
    rows = rows_of(store)
    groups = defaultdict(list)
    for row in rows:
        groups[row.training_step, row.group_id].append(row)
    assert {len(group) for group in groups.values()} == {4}
    assert len(groups) > 8  # two steps of four groups, and redraws
    assert {row.strategy for row in rows} == {"rloo"}
    assert len({row.trajectory_id for row in rows}) == len(rows)
    assert sum(row.generated_tokens for row in rows) == trained.metrics["generated_tokens"]
    for point in trained.curve:
        drawn = [group for (step, _), group in groups.items() if step == point["step"] - 1]
        equal = [len({row.reward for row in group}) == 1 for group in drawn]
        assert point["zero_variance_share"] == pytest.approx(sum(equal) / len(equal))
        # Groups with variance were trained on; the rest of the four were still without.
        assert point["unfilled_share"] == pytest.approx(1 - (len(equal) - sum(equal)) / 4)
    for row in rows:
        right = float(bool(row.correct))
        penalty = min(1.0, max(0.0, (row.generated_tokens - 24) / 24))
        assert row.reward == pytest.approx(right - penalty)
    card = (Path(trained.path) / "README.md").read_text()
    assert "mean_zero_variance_share" in card
    assert "mean_unfilled_share" in card


@pytest.mark.slow
def test_tokens_that_earn_by_attention_are_rows_beside_their_solutions(
    store, make_set, make_job, train, start_states, toy_reward_model
):
    recipe = {
        "batch_size": 8,
        "minibatches": 2,
        "group_size": 2,
        "max_new_tokens": 48,
        "max_steps": 8,
        "save_every_steps": 4,
        "gae_lambda": 0.95,
        "reward": {
            "type": "attention",
            "verifier": {"model": str(toy_reward_model)},
            "credit": "policy_attention",
        },
    }
    job = make_job(make_set(start_states), "ppo", **recipe)
    trained = train(job, work="store/work", root=store.url, unit=UNIT)
    solutions = {row.trajectory_id: row for row in rows_of(store)}
    paths = store.files("token_rewards", run_id="run", stage="policy_training")
    rewards = [row for path in paths for row in store.read(path)]
    assert len(rewards) == len(solutions) == 32
    for row in rewards:
        solution = solutions[row.trajectory_id]
        assert fsum(row.rewards) == row.total
        assert solution.reward == pytest.approx(row.total)
        assert len(row.rewards) == len(solution.token_ids)
        assert "".join(row.tokens) == solution.text
        assert row.reward == "policy_attention[beta=0.8]"
    # The policy that trained is the one that the engine served, its attention computed in between.
    for point in trained.curve:
        assert point["sampling/sampling_logp_difference/max"] < 1e-3
    means = [
        sum(s.reward for s in solutions.values() if s.training_step == step) / 16 for step in (0, 4)
    ]
    assert [point["reward"] for point in trained.curve] == pytest.approx(means)
