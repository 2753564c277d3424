"""Trainers that play games in place of drawing with an engine."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.policy_training import PolicyTrainingJob
from tasks.training.models import BaseModel, load_base
from tasks.training.train import find_trainer
from tests.tasks.training.methods.games import BEGIN, NUM_TOKENS, Game, Play

RECIPES: dict[str, dict[str, Any]] = {
    "ppo": {"batch_size": 32, "minibatches": 2, "ppo_epochs": 2, "value_lr": 3e-2},
    "grpo": {"batch_size": 64, "group_size": 8},
    "rloo": {"batch_size": 64, "group_size": 8, "kl_weight": 0.0},
}
RECIPES["ppo"] |= {"value_weight": 0.5, "kl_weight": 0.0}
_SHARED = {"hidden_lr": 1e-2, "other_lr": 1e-2, "decay_fraction": 0.5, "optimizer": "adamw"}


@pytest.fixture
def player(toy_tokenizer, make_job, tmp_path) -> Callable[..., Any]:
    """The trainer of a method that plays a game with an untrained model of six tokens."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tasks.training.drawn_rows import DrawnRows
    from tasks.training.trainer import Work

    def make(
        type: str, play: Play, *, by_token: bool = True, work: str = "work", **method: object
    ) -> Any:
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
        folder = tmp_path / "policy"
        LlamaForCausalLM(config).save_pretrained(folder)
        recipe = {**_SHARED, **RECIPES[type], **method}
        toy_tokenizer.save_pretrained(folder)
        job: PolicyTrainingJob = make_job(tmp_path, type, **recipe)
        job = job.with_fields(policy={"type": "vllm", "model": str(folder)})

        class Player(find_trainer(job)):
            def open_rollouts(self, base: BaseModel, rows: Any, work: Work) -> None:
                self._drawn = DrawnRows(None, None, job)
                self._tokens_before = None
                self.rollouts = Game(base.model, play, by_token=by_token)

        given = Work(job=job, work_dir=tmp_path / work, num_workers=1, report=lambda _: None)
        return Player(load_base(job), [{"prompt": "?"}] * 64, given)

    return make
