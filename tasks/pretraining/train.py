"""Train the shipped policy from scratch: a small Llama that learns from simulated students.

Muon on hidden matrices, AdamW on the rest; a warm-up, a short plateau and a long linear decay;
the hardest level rises at the start. The budget is counted in tokens, not in seconds, so a config
means the same training on any machine.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.pretraining import ArchitectureConfig, PretrainingConfig
from schemas.units import derive_seed
from tasks.pretraining.card import write_card
from tasks.pretraining.checkpoint import Progress, Resumable
from tasks.pretraining.corpus import Batch, draw_examples, make_batches
from tasks.pretraining.scores import PolicyScores, measure_policy
from tasks.world.kinds import LEVELS
from tasks.world.tokenizer import MAX_TOKENS, build_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """The progress of a training."""

    step: int
    tokens: int
    total_tokens: int
    loss: float
    """Mean loss per weighted token of the step, in nats."""


def pretrain(
    config: PretrainingConfig,
    out_dir: Path,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    work_dir: Path | None = None,
) -> dict[str, float]:
    """Train a policy and save it with its tokenizer and card; returns what was measured.

    A training that was interrupted goes on from what it last left in `work_dir`, and ends with the
    same weights.

    Args:
        config: the recipe.
        out_dir: gets a Hugging Face checkpoint (safetensors) and README.md.
        on_progress: called after every step.
        work_dir: the training's own folder, which is kept until it ends; None to save nothing.
    """
    tokenizer = build_tokenizer()
    model = new_model(config.architecture, tokenizer, seed=config.seed)
    done = _train(model, tokenizer, config, on_progress, work_dir)
    training = {
        "num_steps": done.step,
        "num_tokens": done.tokens,
        "final_loss": sum(done.losses) / len(done.losses),
        "training_s": done.seconds,
        "num_parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    model.save_pretrained(out_dir)
    tokenizer.save_pretrained(out_dir)
    scores: PolicyScores | None = None
    if config.num_eval_problems:
        scores = measure_policy(
            model,
            tokenizer,
            num_problems=config.num_eval_problems,
            num_solutions=config.num_eval_solutions,
            seed=config.seed,
        )
    write_card(out_dir, config, training, scores)
    return training | (scores.as_metrics() if scores else {})


def new_model(architecture: ArchitectureConfig, tokenizer: Any, *, seed: int) -> "LlamaForCausalLM":
    """An untrained Llama with untied embeddings, so that weights can be exchanged in serving."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=architecture.hidden_size,
        intermediate_size=architecture.mlp_size,
        num_hidden_layers=architecture.num_layers,
        num_attention_heads=architecture.num_heads,
        num_key_value_heads=architecture.num_heads,
        max_position_embeddings=MAX_TOKENS,
        rope_parameters={"rope_type": "default", "rope_theta": architecture.rope_theta},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    # Initial weights come from torch's global generator: seed it here and restore it afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def _train(
    model: "LlamaForCausalLM",
    tokenizer: Any,
    config: PretrainingConfig,
    on_progress: Callable[[TrainingProgress], None] | None,
    work_dir: Path | None,
) -> Progress:
    """Train until the token budget is used up."""
    import torch

    from tasks.training.optimizers import make_optimizer

    optimizer = make_optimizer(
        model,
        hidden_lr=config.hidden_lr,
        other_lr=config.other_lr,
        weight_decay=config.weight_decay,
    )
    peaks = [group["lr"] for group in optimizer.param_groups]
    rng = random.Random(derive_seed("pretraining", config.seed))
    resumable = Resumable(
        model=model,
        optimizer=optimizer,
        rng=rng,
        folder=work_dir,
        config_hash=config.config_hash(),
    )
    done = resumable.load()
    started = time.monotonic() - done.seconds
    model.train()
    while done.tokens < config.num_tokens:
        hardest = max_level(done.tokens / config.num_tokens, config.curriculum_fraction)
        examples = draw_examples(tokenizer, rng, max_level=hardest, tutoring=config.tutoring)
        for batch in make_batches(
            examples,
            rng,
            batch_tokens=config.batch_tokens,
            question_loss_weight=config.prompt_loss_weight,
            pad_token_id=tokenizer.pad_token_id,
        ):
            factor = lr_factor(done.step, done.tokens / config.num_tokens, config)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            loss = _loss(model, batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            done.add(batch.num_tokens, loss.item())
            done.seconds = time.monotonic() - started
            if on_progress:
                on_progress(
                    TrainingProgress(done.step, done.tokens, config.num_tokens, done.losses[-1])
                )
            if done.tokens >= config.num_tokens:
                break
        resumable.save(done)
    model.eval()
    return done


def max_level(progress: float, curriculum_fraction: float) -> int:
    """The hardest level seen at a point of the training: 1 at first, rising evenly to the last."""
    if progress >= curriculum_fraction:
        return max(LEVELS)
    return 1 + int(len(LEVELS) * progress / curriculum_fraction)


def lr_factor(step: int, progress: float, config: PretrainingConfig) -> float:
    """The factor of the peak learning rates: warm-up, plateau, linear decay to 0."""
    warmup = min(1.0, (step + 1) / max(config.num_warmup_steps, 1))
    decay = min(1.0, (1 - progress) / config.decay_fraction) if config.decay_fraction else 1.0
    return warmup * decay


def _loss(model: "LlamaForCausalLM", batch: Batch) -> "torch.Tensor":
    """The weighted mean cross entropy of a batch's tokens."""
    import torch

    # With a causal model, padding on the right needs no attention mask.
    logits = model(input_ids=batch.token_ids[:, :-1], use_cache=False).logits
    targets, weights = batch.token_ids[:, 1:], batch.loss_weights[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="none"
    )
    return (losses * weights.flatten()).sum() / weights.sum()
