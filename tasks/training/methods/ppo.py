"""Proximal policy optimisation (PPO, arXiv:1707.06347) with a value head, token by token.

Import it where training starts, not at the top of a module. Solutions are drawn at temperature 1 by
the project's own engines and rewarded (`Rollouts`); the engine gets the weights before each draw.
From a draw come, with the policy as it was: the log probability of every token, the values, the KL
divergence from the reference, which is part of every token's reward, and the advantages
(`tasks/training/advantages.py`). Then minibatches of the draw train policy and value head together,
several times over. Losses are means over tokens.

Choices and deviations: the value head is one linear layer on the policy's body
(`tasks/training/value_head.py`), not a model of its own; a solution that was cut ends there and is
rewarded as unfinished; a solution whose reward is unknown trains nothing; what programs printed in
it is no action, and what it earns is paid at the action before; probabilities are those
of the model in training, not the engine's, which are compared and reported. Checkpoints are written
between draws, so that a training that is killed resumes with the same draws and minibatches.
"""

import contextlib
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch  # noqa: TID253 - this module is imported where training starts
from transformers import TrainingArguments  # noqa: TID253
from trl.trainer.utils import disable_dropout_in_model, entropy_from_logits  # noqa: TID253

from schemas.training.ppo import PpoConfig
from schemas.units import derive_seed
from tasks.models.folders import resolve_model
from tasks.training.advantages import (
    advantages_and_returns,
    paid_per_token,
    paid_to_written,
    policy_losses,
    value_losses,
    whitened,
)
from tasks.training.common import pad_token_id
from tasks.training.drawing import DrawingTrainer, EpochSampler, number_states
from tasks.training.models import BaseModel, load_weights
from tasks.training.reading import TokenBatch, masked_mean, token_logprobs
from tasks.training.rewards import Earned, total
from tasks.training.trainer import Work, shared_arguments
from tasks.training.value_head import add_value_head, load_value_head, save_value_head


@dataclass(frozen=True, slots=True)
class Experience:
    """Solutions [n] of a draw and what they are trained with; all but `tokens` are [n, t]."""

    tokens: TokenBatch
    logprobs: torch.Tensor
    values: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor
    mask: torch.Tensor
    """1 for the tokens that are trained on: those of solutions with a known reward."""
    share: float = 1.0
    """What a sum over these tokens is multiplied by to be their part of a minibatch's mean."""

    def __getitem__(self, index: Any) -> "Experience":
        """Some of the solutions."""
        return Experience(
            self.tokens[index],
            self.logprobs[index],
            self.values[index],
            self.advantages[index],
            self.returns[index],
            self.mask[index],
        )


class PpoTrainer(DrawingTrainer):
    """Makes tokens more likely that led to more than the value head had expected."""

    def __init__(self, base: BaseModel, rows: Any, work: Work) -> None:
        config = work.job.recipe
        assert isinstance(config, PpoConfig)
        self._config = config
        self._head = add_value_head(base.model)
        disable_dropout_in_model(base.model)
        # The Trainer would otherwise warn that it cannot count the tokens of a batch.
        base.model.warnings_issued = {"estimate_tokens": True}
        every = config.steps_per_draw
        arguments = shared_arguments(work, log_every=every)
        arguments |= {
            "logging_steps": every,
            "logging_first_step": False,
            "save_steps": math.ceil(config.save_every_steps / every) * every,
        }
        super().__init__(
            model=base.model,
            args=TrainingArguments(**arguments),
            train_dataset=number_states(rows, config),
            data_collator=_numbers,
            processing_class=base.tokenizer,
        )
        # The loss is divided by the tokens of a minibatch here, not by the Trainer.
        self.model_accepts_loss_kwargs = False
        self.watch(work)
        self._pad = pad_token_id(base.tokenizer)
        self._reference = self._load_reference(base)
        self._micro_step = 0
        self._batches: list[Experience] = []
        self._figures: defaultdict[str, list[float]] = defaultdict(list)
        self._served_step = 0
        self.open_rollouts(base, rows, work)

    def get_train_dataloader(self) -> Any:
        """The numbers of a draw's start states, once per minibatch and pass."""
        config, workers = self._config, max(self.args.world_size, 1)
        share = config.solutions_per_draw // workers
        states: Any = self.train_dataset
        return self._get_dataloader(
            dataset=states,
            description="Training",
            batch_size=share,
            sampler_fn=lambda _: EpochSampler(
                states,
                mini_repeat_count=config.group_size,
                batch_size=config.rows_per_step,
                repeat_count=self._micro_steps_per_draw,
                seed=self.args.seed,
            ),
            is_training=True,
        )

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """The part of a minibatch's loss that these solutions contribute."""
        config, batch = self._config, inputs
        logprobs, logits = token_logprobs(model, batch.tokens)
        values = self._values(batch.tokens)
        policy = policy_losses(logprobs, batch.logprobs, batch.advantages, clip=config.clip)
        value = value_losses(values, batch.values, batch.returns, clip=config.value_clip)
        with torch.no_grad():
            ratio = torch.exp(logprobs - batch.logprobs)
            self._note("policy_loss", policy, batch.mask)
            self._note("value_loss", value, batch.mask)
            self._note("clip_share", ((ratio - 1).abs() > config.clip).float(), batch.mask)
            self._note("entropy", entropy_from_logits(logits.float()), batch.mask)
        losses = (policy + config.value_weight * value) * batch.mask
        return losses.sum() * batch.share

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add means over the last draw and its steps."""
        logs |= {name: sum(each) / len(each) for name, each in self._figures.items()}
        self._figures.clear()
        super().log(logs, start_time)

    def save_rows(self, folder: Path) -> None:
        """See `MethodTrainer`."""
        super().save_rows(folder)
        if self.is_world_process_zero():
            save_value_head(self._head, folder)

    @property
    def _micro_steps_per_draw(self) -> int:
        return self._config.steps_per_draw * self.args.gradient_accumulation_steps

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        load_value_head(self._head, Path(resume_from_checkpoint))

    def _load_reference(self, base: BaseModel) -> Any:
        """The model to stay near; None if there is none, or it is the policy without adapters."""
        config = self._config
        if not config.kl_weight or (config.reference is None and config.lora is not None):
            return None
        folder = base.folder if config.reference is None else resolve_model(config.reference)
        reference = load_weights(folder, "bfloat16" if self.args.bf16 else "float32")
        return reference.to(self.accelerator.device).eval().requires_grad_(False)

    def _prepare_inputs(self, inputs: Mapping[str, Any]) -> Any:
        """A micro-batch of the last draw, or the first one of a new draw."""
        place = self._micro_step % self._micro_steps_per_draw
        if place == 0:
            self._batches = self._draw(inputs["numbers"])
        self._micro_step += 1
        return self._batches[place]

    def _draw(self, numbers: Sequence[str]) -> list[Experience]:
        """New solutions of these start states, as micro-batches in the order of their steps."""
        step = self.state.global_step
        if step != self._served_step:
            self.rollouts.sync_weights()
            self._served_step = step
        drawn = self.rollouts(numbers, step)
        tokens = TokenBatch.of(
            drawn["prompt_ids"],
            drawn["completion_ids"],
            pad=self._pad,
            device=self.accelerator.device,
        )
        self.state.num_input_tokens_seen += int(self._summed(tokens.attention_mask.sum()))
        written = tokens.mask.clone()
        for line, marks in enumerate(drawn.get("env_mask", ())):
            written[line, : len(marks)] *= torch.tensor(marks, device=written.device)
        with torch.no_grad(), self.compute_loss_context_manager():
            experience = self._assess(tokens, drawn["reward"], drawn["logprobs"], written)
        return list(self._divide(experience))

    def _assess(
        self,
        tokens: TokenBatch,
        earned: Sequence[Earned],
        sampled: Sequence[Sequence[float]],
        written: torch.Tensor | None = None,
    ) -> Experience:
        """What the tokens are trained with, by the policy as it is.

        `written` [n, t] is 1 for the tokens that the policy chose; None for all.
        """
        config = self._config
        written = tokens.mask if written is None else written
        logprobs, values, reference = self._read_all(tokens)
        known = [reward is not None for reward in earned]
        mask = written * torch.tensor(known, device=tokens.mask.device)[:, None]
        paid = paid_per_token(earned, tokens.mask, clip=config.reward_clip)
        if bool((written != tokens.mask).any()):
            paid = paid_to_written(paid, written)
        divergence = logprobs - reference
        advantages, returns = advantages_and_returns(
            paid - config.kl_weight * divergence,
            values,
            mask,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
        )
        if config.whiten:
            num = self._summed(mask.sum()).clamp(min=1)
            mean = self._summed(advantages.sum()) / num
            variance = self._summed(((advantages - mean) ** 2 * mask).sum()) / num
            advantages = whitened(advantages, mask, mean=mean, variance=variance)
        if any(known):
            totals = [total(reward) for reward in earned]
            rewards = [reward for reward in totals if reward is not None]
            self._figures["reward"].append(sum(rewards) / len(rewards))
            self._note("kl", divergence, mask)
            self._note("value", values, mask)
            self._note("value_error", (returns - values).abs(), mask)
        self._compare(logprobs, sampled, written)
        return Experience(tokens, logprobs, values, advantages, returns, mask)

    def _read_all(self, tokens: TokenBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Log probabilities, values, and the reference's log probabilities, all [n, t]."""
        parts = []
        for start in range(0, len(tokens.mask), self.args.per_device_train_batch_size):
            part = tokens[start : start + self.args.per_device_train_batch_size]
            logprobs, _ = token_logprobs(self.model, part)
            values, reference = self._values(part), logprobs
            if self._config.kl_weight:
                with self._as_reference() as model:
                    reference, _ = token_logprobs(model, part)
            parts.append((logprobs, values, reference))
        logprobs, values, reference = (torch.cat(each) for each in zip(*parts, strict=True))
        return logprobs, values, reference

    def _values(self, tokens: TokenBatch) -> torch.Tensor:
        """The values before each token of the last forward pass, [n, t]."""
        return self._head.take()[:, -tokens.mask.shape[1] - 1 : -1]

    @contextlib.contextmanager
    def _as_reference(self) -> Iterator[Any]:
        """The reference, in the block."""
        if self._reference is not None:
            yield self._reference
            return
        policy: Any = self.accelerator.unwrap_model(self.model)
        with policy.disable_adapter():
            yield policy

    def _divide(self, experience: Experience) -> Iterator[Experience]:
        """The micro-batches of all passes; each is told its part of its minibatch's mean."""
        config = self._config
        size = self.args.per_device_train_batch_size
        num_micros = self.args.gradient_accumulation_steps
        workers = max(self.args.world_size, 1)
        seed = derive_seed(
            "minibatches", config.seed, self.state.global_step, self.args.process_index
        )
        generator = torch.Generator().manual_seed(seed % 2**63)
        for _ in range(config.ppo_epochs):
            order = torch.randperm(len(experience.mask), generator=generator)
            for minibatch in order.split(size * num_micros):
                num = self._summed(experience.mask[minibatch].sum()).clamp(min=1)
                # The Trainer divides by the number of micro-batches, workers average gradients.
                share = num_micros * workers / float(num)
                for micro in minibatch.split(size):
                    yield replace(experience[micro], share=share)

    def _compare(
        self, logprobs: torch.Tensor, sampled: Sequence[Sequence[float]], written: torch.Tensor
    ) -> None:
        """Note how far the engine's log probabilities are from those of the model in training."""
        furthest = 0.0
        for line, theirs, mask in zip(logprobs, sampled, written, strict=True):
            own = line[: len(theirs)].float().cpu()
            if len(theirs):
                apart = (own - torch.tensor(theirs)).abs() * mask[: len(theirs)].cpu()
                furthest = max(furthest, float(apart.max()))
        self._figures["sampling/sampling_logp_difference/max"].append(furthest)

    def _note(self, name: str, values: torch.Tensor, mask: torch.Tensor) -> None:
        self._figures[name].append(float(masked_mean(values, mask)))

    def _summed(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of a number over all workers."""
        summed: Any = self.accelerator.reduce(value, reduction="sum")
        return summed


def _numbers(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The numbers of start states, which stay texts."""
    return {"numbers": [row["prompt"] for row in rows]}


TRAINER = PpoTrainer
