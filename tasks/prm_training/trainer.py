"""TRL's PRM trainer on rows that are laid out already.

Import it where training starts, not at the top of a module: it needs torch and trl. Deviations
from TRL: the rows come tokenised by the layout that serving uses, targets may be probabilities
and rows may be weighted, batches hold rows of like length, the learning rates warm up, stay and
fall, a loss that is not a number ends the training, and no usage message is sent.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch  # noqa: TID253 - the classes below subclass torch, transformers and trl classes
from torch.optim.lr_scheduler import LambdaLR  # noqa: TID253
from torch.utils.data import DataLoader, Dataset  # noqa: TID253
from transformers import PrinterCallback, TrainerCallback  # noqa: TID253
from trl.experimental.prm import PRMConfig, PRMTrainer  # noqa: TID253

from schemas.prm_training import PrmTrainingConfig
from schemas.units import derive_seed
from tasks.prm_training.batches import collate, step_loss
from tasks.prm_training.token_rows import TokenRow
from tasks.training.common import LOG_EVERY_STEPS, check_loss, lr_factor, pad_token_id
from tasks.training.length_batches import LengthBatches


class StepTrainer(PRMTrainer):
    """Trains a verifier on token rows."""

    def __init__(
        self,
        *,
        model: torch.nn.Module,
        tokenizer: Any,
        rows: Sequence[TokenRow],
        config: PrmTrainingConfig,
        work_dir: Path,
        num_workers: int,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.config = config
        self.num_tokens = 0
        self._num_workers = num_workers
        self._rows = rows
        self._collate = partial(collate, pad_token_id=pad_token_id(tokenizer))
        super().__init__(
            model=model,
            args=_training_arguments(config, work_dir, num_workers),
            train_dataset=_TokenRows(rows),  # type: ignore[arg-type]
            data_collator=self._collate,  # type: ignore[arg-type]
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )
        # The loss is a mean already: the trainer must not divide by a count of labels again.
        self.model_accepts_loss_kwargs = False
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader:
        """Batches of rows of like length, the same order on every worker."""
        batches = LengthBatches(
            [len(row.token_ids) for row in self._rows],
            batch_size=self.args.per_device_train_batch_size,
            seed=derive_seed("batches", self.config.seed),
        )
        loader = DataLoader(
            self.train_dataset,  # type: ignore[arg-type]
            batch_sampler=batches,
            collate_fn=self._collate,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(loader)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The optimizer that the config names."""
        if self.optimizer is None:
            trained: Any = self.model if model is None else model
            self.optimizer = build_optimizer(trained, self.config)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Warm-up, plateau, linear decay to zero."""
        if self.lr_scheduler is None:
            factor = partial(lr_factor, num_steps=num_training_steps, config=self.config)
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, factor)
        return self.lr_scheduler  # type: ignore[return-value]

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of one batch, with the model's output if asked."""
        self.num_tokens += inputs["num_tokens"] * self._num_workers
        output = model(input_ids=inputs["input_ids"], use_cache=False)
        loss = step_loss(output.logits, inputs["targets"], inputs["weights"])
        return (loss, output) if return_outputs else loss

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""


class ReportProgress(TrainerCallback):
    """Tells how far training is, and ends it where the loss is not a number."""

    def __init__(self, report: Callable[[Mapping[str, float]], None]) -> None:
        self._report = report
        self.trainer: StepTrainer | None = None
        self.last_loss = math.nan

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Pass on step, loss and tokens; every `LOG_EVERY_STEPS` steps."""
        if "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        check_loss(state.global_step, loss, norm, remedy="lower hidden_lr or head_lr")
        self.last_loss = loss
        self._report(
            {
                "step": state.global_step,
                "num_steps": state.max_steps,
                "loss": loss,
                "tokens": self.trainer.num_tokens if self.trainer else 0,
            }
        )


class StopEarly(TrainerCallback):
    """Keeps the weights with the lowest held-out loss and stops when it no longer falls."""

    def __init__(self, config: PrmTrainingConfig, heldout_loss: Callable[[], float]) -> None:
        assert config.early_stopping is not None
        self._config = config.early_stopping
        self._heldout_loss = heldout_loss
        self._best_loss = math.inf
        self._best: dict[str, torch.Tensor] | None = None
        self._num_worse = 0

    def on_step_end(
        self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
    ) -> None:
        """Look at the held-out problems every `every_steps` steps."""
        if state.global_step % self._config.every_steps:
            return
        loss = self._heldout_loss()
        if loss < self._best_loss:
            self._best_loss, self._num_worse = loss, 0
            self._best = {n: p.detach().clone() for n, p in model.state_dict().items()}
            return
        self._num_worse += 1
        control.should_training_stop = self._num_worse >= self._config.patience

    def on_train_end(
        self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
    ) -> None:
        """Go back to the best weights, unless the last ones are better."""
        if self._best is not None and self._heldout_loss() > self._best_loss:
            model.load_state_dict(self._best)


def build_optimizer(model: torch.nn.Module, config: PrmTrainingConfig) -> torch.optim.Optimizer:
    """Muon with AdamW, or AdamW for all, with the config's rates."""
    from tasks.training.optimizers import make_adamw, make_optimizer

    is_muon = config.optimizer == "muon"
    make = make_optimizer if is_muon else make_adamw
    return make(
        model,
        hidden_lr=config.hidden_lr,
        other_lr=config.other_lr or (config.hidden_lr / 4 if is_muon else config.hidden_lr),
        head_lr=config.head_lr or config.hidden_lr,
        weight_decay=config.weight_decay,
    )


class _TokenRows(Dataset):
    """Rows by index; the column says that they are tokenised."""

    column_names = ("input_ids",)

    def __init__(self, rows: Sequence[TokenRow]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> TokenRow:
        return self._rows[index]


def _training_arguments(config: PrmTrainingConfig, work_dir: Path, num_workers: int) -> PRMConfig:
    """Only training: no evaluation, no saving, no printing, no reporting to other services."""
    has_gpu = torch.cuda.is_available()
    share = config.batch_size // num_workers
    micro = config.micro_batch_size or share
    return PRMConfig(
        output_dir=str(work_dir),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=share // micro,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        max_grad_norm=config.max_grad_norm,
        bf16=config.precision == "bfloat16",
        gradient_checkpointing=config.gradient_checkpointing,
        logging_steps=LOG_EVERY_STEPS,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=has_gpu,
        dataloader_num_workers=0,
        remove_unused_columns=False,
        average_tokens_across_devices=False,
        ddp_find_unused_parameters=False,
        use_cpu=not has_gpu,
        seed=derive_seed("training", config.seed),
        max_length=None,
        step_separator=config.separator,
        disable_dropout=True,
    )
