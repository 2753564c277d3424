"""GRPO's and RLOO's trainers: losses computed by hand, and a bandit; a tiny model, no engine."""

import math
from typing import Any

import pytest
import torch

from tests.tasks.training.methods.games import (
    BEGIN,
    LEFT,
    RIGHT,
    Printing,
    bandit,
    chances,
)


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_the_best_arm_of_a_bandit_is_found(method, player):
    trainer = player(method, bandit, max_steps=40)
    trainer.train()
    assert chances(trainer)[RIGHT] > 0.95


def batch_of(trainer: Any, ratios: list[list[float]], advantages: list[float]) -> dict[str, Any]:
    """Solutions of the action LEFT over and over, whose probability ratios are these."""
    length = max(map(len, ratios))
    mask = torch.tensor([[1] * len(each) + [0] * (length - len(each)) for each in ratios])
    with torch.no_grad():
        ids = torch.tensor([[BEGIN] + [LEFT] * length])
        now = trainer.model(input_ids=ids).logits[0, :-1].log_softmax(-1)[:, LEFT]
    padded = torch.tensor([[*each, *[1.0] * (length - len(each))] for each in ratios])
    return {
        "prompt_ids": torch.full((len(ratios), 1), BEGIN),
        "prompt_mask": torch.ones(len(ratios), 1, dtype=torch.long),
        "completion_ids": torch.full((len(ratios), length), LEFT) * mask,
        "completion_mask": mask,
        "advantages": torch.tensor(advantages),
        "num_items_in_batch": mask.sum(),
        "old_per_token_logps": now - padded.log(),
        "importance_sampling_ratio": torch.ones_like(padded),
        "old_logps": ((now - padded.log()) * mask).sum(1),
    }


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # Tokens: -1.2 (clipped), -1, -1 of the first solution, 2 * .9 of the second.
        ("dapo", (-1.2 - 1 - 1 + 1.8) / 4),
        ("grpo", ((-1.2 - 1 - 1) / 3 + 1.8) / 2),
        ("dr_grpo", (-1.2 - 1 - 1 + 1.8) / (2 * 10)),
    ],
)
def test_a_loss_combines_tokens_as_its_name_says(player, loss, expected):
    trainer = player("grpo", bandit, loss=loss, max_new_tokens=10)
    trainer.current_gradient_accumulation_steps = 1
    inputs = batch_of(trainer, [[1.5, 1.0, 1.0], [0.9]], [1.0, -2.0])
    assert trainer.compute_loss(trainer.model, inputs).item() == pytest.approx(expected, abs=1e-5)


def test_tokens_that_programs_printed_carry_no_loss(player):
    trainer = player("grpo", bandit, loss="dapo", batch_size=8, group_size=4)
    trainer.current_gradient_accumulation_steps = 1
    inputs = batch_of(trainer, [[1.5, 1.0, 1.0], [0.9]], [1.0, -2.0])
    inputs["tool_mask"] = torch.tensor([[1, 0, 1], [1, 1, 1]])
    inputs["num_items_in_batch"] = torch.tensor(3)
    expected = (-1.2 - 1 + 1.8) / 3
    assert trainer.compute_loss(trainer.model, inputs).item() == pytest.approx(expected, abs=1e-5)
    # What the engines mark is what the loss leaves out.
    trainer.rollouts = Printing(trainer.model, bandit, by_token=False)
    scored = trainer._generate_and_score_completions([{"prompt": "0"}] * 4)
    assert scored["completion_ids"][:, 1].tolist() == [BEGIN] * 4
    assert scored["tool_mask"].tolist() == [[1, 0]] * 4
    assert int(scored["num_items_in_batch"]) == 4


@pytest.mark.parametrize(
    ("clip_high", "ratio", "advantage", "expected"),
    [
        (None, 1.25, 1.0, -1.2),
        (0.28, 1.25, 1.0, -1.25),
        (0.28, 1.5, 1.0, -1.28),
        (0.28, 0.5, -1.0, 0.8),  # below, the clip stays what it was
        (0.28, 1.5, -1.0, 1.5),
    ],
)
def test_a_ratio_may_be_clipped_higher_than_lower(player, clip_high, ratio, advantage, expected):
    trainer = player("grpo", bandit, clip_high=clip_high)
    trainer.current_gradient_accumulation_steps = 1
    inputs = batch_of(trainer, [[ratio]], [advantage])
    assert trainer.compute_loss(trainer.model, inputs).item() == pytest.approx(expected, abs=1e-5)


def test_a_solution_is_one_action_of_rloo(player):
    trainer = player("rloo", bandit)
    inputs = batch_of(trainer, [[1.1, 1.05], [0.9]], [1.0, -2.0])
    expected = (-1.1 * 1.05 + 2 * 0.9) / 2
    assert trainer.compute_loss(trainer.model, inputs).item() == pytest.approx(expected, abs=1e-5)
    clipped = batch_of(trainer, [[1.1, 1.1, 1.1]], [1.0])
    found = trainer.compute_loss(trainer.model, clipped).item()
    assert found == pytest.approx(-1.2, abs=1e-5)


def test_an_advantage_of_rloo_is_over_the_mean_of_the_others(player):
    trainer = player("rloo", bandit, batch_size=4, group_size=4)
    inputs = trainer._generate_and_score_completions([{"prompt": "0"}] * 4)
    rewards = [bandit([token])[0] for token in inputs["completion_ids"][:, 0].tolist()]
    expected = [each - (sum(rewards) - each) / 3 for each in rewards]
    assert inputs["advantages"].tolist() == pytest.approx(expected, abs=1e-6)
    assert any(expected)


def test_the_divergence_is_part_of_the_reward_of_rloo(player):
    trainer = player("rloo", lambda actions: (0.0, True), batch_size=4, group_size=4, kl_weight=0.5)
    with torch.no_grad():
        trainer.model.lm_head.weight[LEFT] += 0.5
    inputs = trainer._generate_and_score_completions([{"prompt": "0"}] * 4)
    tokens = inputs["completion_ids"][:, 0]
    ids = torch.tensor([[BEGIN]])
    with torch.no_grad():
        now, before = (
            model(input_ids=ids).logits[0, -1].log_softmax(-1)[tokens]
            for model in (trainer.model, trainer.ref_model)
        )
    rewards = (-0.5 * (now - before)).tolist()
    expected = [each - (sum(rewards) - each) / 3 for each in rewards]
    assert inputs["advantages"].tolist() == pytest.approx(expected, abs=1e-5)
    assert math.dist(expected, [0] * 4) > 1e-3
