"""PPO's trainer on problems whose optimum is known; a tiny model, no engine."""

import math
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from tasks.training.common import TrainingDiverged
from tasks.training.models import load_weights, write_weights
from tasks.training.reading import TokenBatch, token_logprobs
from tasks.training.trainer import last_checkpoint
from tasks.verifiers.credit import spread, to_shares
from tests.tasks.training.methods.games import BEGIN, LEFT, RIGHT, Printing, bandit, chances


def value(trainer: Any, *before: int) -> float:
    chances(trainer, *before)
    return float(trainer._head.take()[0, -1])


def chain(actions: Sequence[int]) -> tuple[float, bool]:
    """Right (4 or 5) leads through three states to 1, left ends with .2, the rest with nothing."""
    if actions[-1] >= RIGHT:
        return float(len(actions) == 3), len(actions) == 3
    return 0.2 * (actions[-1] == LEFT), True


def test_the_best_arm_of_a_bandit_is_found(player):
    trainer = player("ppo", bandit, by_token=False, max_steps=60)
    trainer.train()
    assert chances(trainer)[RIGHT] > 0.95
    assert value(trainer) == pytest.approx(1.0, abs=0.1)
    rewards = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    assert rewards[0] < 0.5 < 0.95 < rewards[-1]


def test_near_a_reference_the_optimum_is_the_reference_tilted_by_the_reward(player):
    weight = 0.5
    trainer = player("ppo", bandit, by_token=False, max_steps=120, kl_weight=weight)
    tilted = [
        chance * math.exp(bandit([token])[0] / weight)
        for token, chance in enumerate(chances(trainer))
    ]
    trainer.train()
    optimum = [each / sum(tilted) for each in tilted]
    assert chances(trainer) == pytest.approx(optimum, abs=0.05)


@pytest.mark.parametrize("gae_lambda", [1.0, 0.95])
def test_a_chain_whose_reward_is_three_steps_away_is_walked(player, gae_lambda):
    trainer = player("ppo", chain, max_steps=120, gae_lambda=gae_lambda)
    trainer.train()
    for before in ((), (RIGHT,), (RIGHT, RIGHT)):
        assert sum(chances(trainer, *before)[RIGHT:]) > 0.95
        assert value(trainer, *before) == pytest.approx(1.0, abs=0.15)


class Divided:
    """A game whose total is divided among the actions by shares that the finished play decides."""

    def __init__(self, game: Any) -> None:
        self._game = game

    def __call__(self, prompts: Sequence[str], step: int) -> dict[str, list[Any]]:
        drawn = self._game(prompts, step)
        drawn["reward"] = [
            spread(sum(paid), to_shares([1 + (7 * a + 3 * i) % 5 for i, a in enumerate(play)]), 0.8)
            for paid, play in zip(drawn["reward"], drawn["completion_ids"], strict=True)
        ]
        return drawn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._game, name)


def test_a_total_that_is_divided_among_the_tokens_has_the_same_optimum(player):
    trainer = player("ppo", chain, max_steps=120, gae_lambda=0.95)
    trainer.rollouts = Divided(trainer.rollouts)
    trainer.train()
    for before in ((), (RIGHT,), (RIGHT, RIGHT)):
        assert sum(chances(trainer, *before)[RIGHT:]) > 0.95


def test_with_a_discount_the_reward_at_hand_is_better_in_the_first_state_alone(player):
    # Right is worth .3 squared in the first state, .3 in the second; left is worth .2.
    trainer = player("ppo", chain, max_steps=120, gamma=0.3)
    trainer.train()
    assert chances(trainer)[LEFT] > 0.9
    assert value(trainer) == pytest.approx(0.2, abs=0.05)


def test_a_loss_is_the_mean_over_the_tokens_of_a_minibatch_however_it_is_divided(player):
    gradients = []
    for micro in (32, 8):
        trainer = player("ppo", chain, max_steps=1, micro_batch_size=micro, max_grad_norm=1e9)
        trainer.create_optimizer()
        model: Any = trainer.model
        trainer.model_wrapped = model
        trainer.current_gradient_accumulation_steps = 32 // micro
        for _ in range(32 // micro):
            trainer.training_step(model, {"numbers": ["0"] * 64})
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for whole, parts in zip(*gradients, strict=True):
        assert torch.allclose(whole, parts, atol=1e-6)


def test_the_values_are_those_of_the_states_before_the_tokens(player):
    trainer = player("ppo", chain)
    with torch.no_grad():
        trainer._head.linear.weight.normal_()
    batch = TokenBatch.of([[BEGIN], [BEGIN, LEFT]], [[RIGHT, LEFT], [RIGHT]], pad=0, device="cpu")
    with torch.no_grad():
        logprobs, _ = token_logprobs(trainer.model, batch)
    values = trainer._values(batch)
    for line, before, actions in ((0, (), (RIGHT, LEFT)), (1, (LEFT,), (RIGHT,))):
        for t, action in enumerate(actions):
            seen = (*before, *actions[:t])
            expected = math.log(chances(trainer, *seen)[action])
            assert float(logprobs[line, t]) == pytest.approx(expected, abs=1e-5)
            assert float(values[line, t]) == pytest.approx(value(trainer, *seen), abs=1e-5)


def test_a_loss_that_is_not_finite_ends_the_training_with_its_last_good_checkpoint(
    player, tmp_path
):
    def play(actions: Sequence[int]) -> tuple[float, bool]:
        return (math.nan if trainer.state.global_step >= 12 else bandit(actions)[0]), True

    trainer = player("ppo", play, max_steps=40, save_every_steps=3)
    with pytest.raises(TrainingDiverged, match="training diverged by step 16: loss nan"):
        trainer.train()
    # Steps come in draws of four, and so do checkpoints.
    kept: Path | None = last_checkpoint(tmp_path / "work", diverged=True)
    assert kept is not None
    assert kept.name == "checkpoint-8"


@pytest.mark.parametrize("lora", [None, {"rank": 4}], ids=["whole", "lora"])
def test_a_training_that_was_killed_ends_with_the_same_policy_and_value_head(
    player, tmp_path, lora
):
    recipe = {"max_steps": 16, "save_every_steps": 4, "kl_weight": 0.1, "lora": lora}
    whole = player("ppo", chain, work="whole", **recipe)
    whole.train()

    def fatal(actions: Sequence[int]) -> tuple[float, bool]:
        if cut.state.global_step == 12:  # in the last draw
            os.kill(os.getpid(), signal.SIGKILL)
        return chain(actions)

    cut = player("ppo", fatal, work="cut", **recipe)
    process = os.fork()
    if not process:
        cut.train()
        os._exit(0)
    _, status = os.waitpid(process, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    kept = last_checkpoint(tmp_path / "cut")
    assert kept is not None
    assert kept.name == "checkpoint-12"
    again = player("ppo", chain, work="cut", **recipe)
    again.train(resume_from_checkpoint=str(kept))
    for (name, one), (_, other) in zip(
        whole.model.named_parameters(), again.model.named_parameters(), strict=True
    ):
        assert torch.equal(one, other), name
    assert float(whole._head.linear.weight.detach().abs().max()) > 0


def test_a_policy_is_saved_without_its_value_head(player, tmp_path):
    trainer = player("ppo", bandit, max_steps=4)
    trainer.train()
    trainer.model.save_pretrained(tmp_path / "saved")
    write_weights(trainer.model, tmp_path / "served")
    for folder in ("saved", "served"):
        names = set(safetensors.torch.load_file(tmp_path / folder / "model.safetensors"))
        assert names == set(load_weights(tmp_path / "policy").state_dict())
        ids = torch.tensor([[BEGIN, LEFT]])
        again = load_weights(tmp_path / folder)(input_ids=ids).logits
        assert torch.equal(again, trainer.model(input_ids=ids).logits)


@pytest.mark.parametrize("source", ["first", "given"])
def test_every_token_pays_for_its_divergence_from_the_reference(player, tmp_path, source):
    reference = {"first": None, "given": str(tmp_path / "policy")}[source]
    fields = {"kl_weight": 0.5, "whiten": False, "reward_clip": 0.75, "reference": reference}
    trainer = player("ppo", chain, **fields)
    with torch.no_grad():
        trainer.model.lm_head.weight[RIGHT] += 1.0
    with torch.no_grad():
        drawn = trainer._assess(*_drawn([[RIGHT] * 3, [LEFT]], [[0, 0, 1.0], 0.2]))
    first = load_weights(tmp_path / "policy")
    for line, actions, paid in ((0, [RIGHT] * 3, [0.0, 0.0, 0.75]), (1, [LEFT], [0.2])):
        rewards = []
        for t, action in enumerate(actions):
            with torch.no_grad():
                ids = torch.tensor([[BEGIN, *actions[:t]]])
                before = math.log(float(first(input_ids=ids).logits[0, -1].softmax(-1)[action]))
            now = math.log(chances(trainer, *actions[:t])[action])
            rewards.append(paid[t] - 0.5 * (now - before))
        for t in range(len(actions)):
            assert float(drawn.returns[line, t]) == pytest.approx(sum(rewards[t:]), abs=1e-5)
        assert abs(rewards[0] - paid[0]) > 0.01
    assert drawn.mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_a_solution_whose_reward_is_unknown_trains_nothing(player):
    trainer = player("ppo", chain)
    with torch.no_grad():
        drawn = trainer._assess(*_drawn([[RIGHT] * 3, [LEFT], [LEFT]], [1.0, None, 0.2]))
    assert drawn.mask.tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0]]
    # The mean and the variance are of the other four tokens: 1, 1, 1 and .2.
    assert drawn.advantages[0].tolist() == pytest.approx([3**-0.5] * 3, abs=1e-4)
    assert drawn.advantages[1].tolist() == [0, 0, 0]
    assert drawn.advantages[2].tolist() == pytest.approx([-(3**0.5), 0, 0], abs=1e-4)


def test_what_a_program_printed_trains_nothing(player):
    trainer = player("ppo", chain, whiten=False, gae_lambda=1.0, gamma=1.0)
    tokens, earned, sampled = _drawn([[RIGHT, BEGIN, RIGHT], [LEFT]], [[0.0, 0.5, 1.0], 0.2])
    written = torch.tensor([[1, 0, 1], [1, 0, 0]])
    with torch.no_grad():
        drawn = trainer._assess(tokens, earned, sampled, written)
    assert drawn.mask.tolist() == written.tolist()
    # What it earned is paid for the action before it; the value head is untrained, so all is 0.
    assert drawn.returns[0].tolist() == pytest.approx([1.5, 0, 1.0], abs=1e-6)
    trainer.rollouts = Printing(trainer.model, chain, by_token=True)
    experience = trainer._draw(["0"] * 4)[0]
    assert experience.mask[:, 1].sum() == 0
    assert int(experience.tokens.input_ids[0, 2]) == BEGIN
    assert int(experience.mask[:, 0].sum()) == len(experience.mask)


def _drawn(solutions: list[list[int]], earned: list[Any]) -> tuple[Any, ...]:
    """Solutions, what they earn, and the engine's log probabilities, which are not looked at."""
    tokens = TokenBatch.of([[BEGIN]] * len(solutions), solutions, pad=0, device="cpu")
    return tokens, earned, [[0.0] * len(each) for each in solutions]
