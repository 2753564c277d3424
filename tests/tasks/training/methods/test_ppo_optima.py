"""PPO's trainer on problems whose optimum is known; a tiny model, no engine."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.policy_training import PolicyTrainingJob
from tasks.training.common import TrainingDiverged
from tasks.training.drawn_rows import DrawnRows
from tasks.training.methods.ppo import PpoTrainer
from tasks.training.models import BaseModel
from tasks.training.reading import TokenBatch, token_logprobs
from tasks.training.rewards import Earned
from tasks.training.trainer import Work, last_checkpoint

BEGIN, LEFT, RIGHT = 1, 3, 4
NUM_TOKENS = 6

Play = Callable[[Sequence[int]], tuple[float, bool]]
"""What the last of some actions pays, and whether it ends the game."""


class Game:
    """Draws actions from the model in training until the game ends; rewards each action."""

    def __init__(self, model: Any, play: Play, *, by_token: bool) -> None:
        self.generated_tokens = 0
        self._model, self._play, self._by_token = model, play, by_token

    def __call__(self, prompts: Sequence[str], step: int) -> dict[str, list[Any]]:
        generator = torch.Generator().manual_seed(step)
        solutions: list[list[int]] = [[] for _ in prompts]
        paid: list[list[float]] = [[] for _ in prompts]
        logprobs: list[list[float]] = [[] for _ in prompts]
        running = list(range(len(prompts)))
        while running:
            ids = torch.tensor([[BEGIN, *solutions[number]] for number in running])
            with torch.no_grad():
                known = self._model(input_ids=ids).logits[:, -1].log_softmax(-1)
            drawn = torch.multinomial(known.exp(), 1, generator=generator)[:, 0].tolist()
            ended = set()
            for line, (number, token) in enumerate(zip(running, drawn, strict=True)):
                solutions[number].append(token)
                logprobs[number].append(float(known[line, token]))
                reward, is_over = self._play(solutions[number])
                paid[number].append(reward)
                if is_over:
                    ended.add(number)
            running = [number for number in running if number not in ended]
        self.generated_tokens += sum(map(len, solutions))
        rewards: list[Earned] = [each if self._by_token else sum(each) for each in paid]
        return {
            "prompt_ids": [[BEGIN]] * len(prompts),
            "completion_ids": solutions,
            "logprobs": logprobs,
            "reward": rewards,
        }

    def sync_weights(self) -> None:
        """The model in training is the one that plays."""

    def take_figures(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        pass


@pytest.fixture
def trainer_of(toy_tokenizer, make_job, tmp_path) -> Callable[..., PpoTrainer]:
    """PPO's trainer for a game, on an untrained model."""
    from transformers import LlamaConfig, LlamaForCausalLM

    def make(play: Play, *, by_token: bool = True, **method: object) -> PpoTrainer:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=NUM_TOKENS,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            tie_word_embeddings=False,
            pad_token_id=0,
            bos_token_id=BEGIN,
            eos_token_id=2,
        )
        model = LlamaForCausalLM(config)
        folder = tmp_path / "policy"
        model.save_pretrained(folder)
        recipe = {
            "batch_size": 32,
            "minibatches": 2,
            "ppo_epochs": 2,
            "hidden_lr": 1e-2,
            "other_lr": 1e-2,
            "value_lr": 3e-2,
            "decay_fraction": 0.5,
            "optimizer": "adamw",
            "value_weight": 0.5,
            "kl_weight": 0.0,
        }
        job: PolicyTrainingJob = make_job(tmp_path, "ppo", **{**recipe, **method})

        class GameTrainer(PpoTrainer):
            def open_rollouts(self, base: BaseModel, rows: Any, work: Work) -> None:
                self._drawn = DrawnRows(None, None, job)
                self._tokens_before = None
                self.rollouts: Any = Game(base.model, play, by_token=by_token)

        base = BaseModel(folder, model, toy_tokenizer, "float32")
        work = Work(job=job, work_dir=tmp_path / "work", num_workers=1, report=lambda _: None)
        return GameTrainer(base, [{"prompt": "?"}] * 64, work)

    return make


def chances(trainer: PpoTrainer, *before: int) -> list[float]:
    """The probabilities of the next action."""
    with torch.no_grad():
        logits = trainer.model(input_ids=torch.tensor([[BEGIN, *before]])).logits[0, -1]
    return logits.softmax(-1).tolist()


def value(trainer: PpoTrainer, *before: int) -> float:
    chances(trainer, *before)
    return float(trainer._head.take()[0, -1])


def bandit(actions: Sequence[int]) -> tuple[float, bool]:
    return {LEFT: 0.2, RIGHT: 1.0, 5: 0.5}.get(actions[-1], 0.0), True


def chain(actions: Sequence[int]) -> tuple[float, bool]:
    """Right (4 or 5) leads through three states to 1, left ends with .2, the rest with nothing."""
    if actions[-1] >= RIGHT:
        return float(len(actions) == 3), len(actions) == 3
    return 0.2 * (actions[-1] == LEFT), True


def test_the_best_arm_of_a_bandit_is_found(trainer_of):
    trainer = trainer_of(bandit, by_token=False, max_steps=60)
    trainer.train()
    assert chances(trainer)[RIGHT] > 0.95
    assert value(trainer) == pytest.approx(1.0, abs=0.1)
    rewards = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    assert rewards[0] < 0.5 < 0.95 < rewards[-1]


def test_near_a_reference_the_optimum_is_the_reference_tilted_by_the_reward(trainer_of):
    weight = 0.5
    trainer = trainer_of(bandit, by_token=False, max_steps=120, kl_weight=weight)
    tilted = [
        chance * math.exp(bandit([token])[0] / weight)
        for token, chance in enumerate(chances(trainer))
    ]
    trainer.train()
    optimum = [each / sum(tilted) for each in tilted]
    assert chances(trainer) == pytest.approx(optimum, abs=0.05)


@pytest.mark.parametrize("gae_lambda", [1.0, 0.95])
def test_a_chain_whose_reward_is_three_steps_away_is_walked(trainer_of, gae_lambda):
    trainer = trainer_of(chain, max_steps=120, gae_lambda=gae_lambda)
    trainer.train()
    for before in ((), (RIGHT,), (RIGHT, RIGHT)):
        assert sum(chances(trainer, *before)[RIGHT:]) > 0.95
        assert value(trainer, *before) == pytest.approx(1.0, abs=0.15)


def test_with_a_discount_the_reward_at_hand_is_better_in_the_first_state_alone(trainer_of):
    # Right is worth .3 squared in the first state, .3 in the second; left is worth .2.
    trainer = trainer_of(chain, max_steps=120, gamma=0.3)
    trainer.train()
    assert chances(trainer)[LEFT] > 0.9
    assert value(trainer) == pytest.approx(0.2, abs=0.05)


def test_a_loss_is_the_mean_over_the_tokens_of_a_minibatch_however_it_is_divided(trainer_of):
    gradients = []
    for micro in (32, 8):
        trainer = trainer_of(chain, max_steps=1, micro_batch_size=micro, max_grad_norm=1e9)
        trainer.create_optimizer()
        model: Any = trainer.model
        trainer.model_wrapped = model
        trainer.current_gradient_accumulation_steps = 32 // micro
        for _ in range(32 // micro):
            trainer.training_step(model, {"numbers": ["0"] * 64})
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for whole, parts in zip(*gradients, strict=True):
        assert torch.allclose(whole, parts, atol=1e-6)


def test_the_values_are_those_of_the_states_before_the_tokens(trainer_of):
    trainer = trainer_of(chain)
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
    trainer_of, tmp_path
):
    def play(actions: Sequence[int]) -> tuple[float, bool]:
        return (math.nan if trainer.state.global_step >= 12 else bandit(actions)[0]), True

    trainer = trainer_of(play, max_steps=40, save_every_steps=3)
    with pytest.raises(TrainingDiverged, match="training diverged by step 16: loss nan"):
        trainer.train()
    # Steps come in draws of four, and so do checkpoints.
    kept: Path | None = last_checkpoint(tmp_path / "work", diverged=True)
    assert kept is not None
    assert kept.name == "checkpoint-8"
