"""What the three trainers share: optimizer, rates, checkpoints to go on from, an eye on the loss.

Import it where training starts, not at the top of a module: it needs torch and transformers.
Deviations from TRL: learning rates warm up, stay and fall; a checkpoint counts once a file says
that it is whole, so a process killed while it writes one goes on from the one before; a loss that
is not a number, or a model that has become worse than guessing, ends the training; no card is
written with each checkpoint and no usage message sent.
"""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch  # noqa: TID253 - this module is imported where training starts
from torch.optim.lr_scheduler import LambdaLR  # noqa: TID253
from torch.utils.data import DataLoader  # noqa: TID253
from transformers import PrinterCallback, Trainer  # noqa: TID253

from schemas.policy_training import MethodConfig
from schemas.units import derive_seed
from tasks.training.common import TrainingDiverged, check_loss, check_weights, lr_factor
from tasks.training.length_batches import LengthBatches
from tasks.training.optimizers import make_adamw, make_optimizer

CHECKPOINTS = "checkpoints"
"""Folder of a training's work folder that holds what it goes on from."""
_WHOLE = "whole"
"""File in a checkpoint that has been written to its end."""
_GOOD = "good"
"""File in a checkpoint from which training went on for some steps without diverging."""
_REMEDY = "lower hidden_lr"

Report = Callable[[Mapping[str, float]], None]


class PolicyTrainer(Trainer):
    """Mixed into TRL's trainers, in front of them."""

    method: MethodConfig
    report: Report
    worst_loss: float = math.inf
    """A loss above this says that the model has become useless."""

    def watch(self, method: MethodConfig, report: Report, worst_loss: float = math.inf) -> None:
        """Say what to train by and whom to tell; before training."""
        self.method, self.report, self.worst_loss = method, report, worst_loss
        self._began = time.monotonic()
        self._seconds_before: float | None = None
        self.remove_callback(PrinterCallback)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The optimizer that the config names."""
        if self.optimizer is None:
            trained: Any = self.model if model is None else model
            self.optimizer = build_optimizer(trained, self.method)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Warm-up, plateau, linear decay to zero."""
        if self.lr_scheduler is None:
            factor = partial(lr_factor, num_steps=num_training_steps, config=self.method)
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, factor)  # type: ignore
        return self.lr_scheduler  # type: ignore[return-value]

    def seconds(self) -> float:
        """Seconds of training so far, those before an interruption included."""
        if self._seconds_before is None:
            known = [entry["seconds"] for entry in self.state.log_history if "seconds" in entry]
            self._seconds_before = known[-1] if known else 0.0
        return self._seconds_before + time.monotonic() - self._began

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the figures with the time, tell them, and look whether training diverges.

        Raises:
            TrainingDiverged: it does.
        """
        logs["seconds"] = self.seconds()
        super().log(logs, start_time)
        if "loss" not in logs:
            return
        step, loss = self.state.global_step, logs["loss"]
        check_loss(step, loss, logs.get("grad_norm", 0.0), remedy=_REMEDY)
        if loss > self.worst_loss:
            raise TrainingDiverged(
                f"training diverged by step {step}: loss {loss:.3g} is worse than guessing "
                f"({self.worst_loss:.3g}); {_REMEDY}"
            )
        for path in _checkpoints(Path(self.args.output_dir or "")):
            if _step_of(path) < step and (path / _WHOLE).exists():
                (path / _GOOD).touch()
        self.report(
            {
                "step": step,
                "num_steps": self.state.max_steps,
                "loss": loss,
                "tokens": self.state.num_input_tokens_seen,
            }
        )

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The card is written once, with the trained model."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        check_weights(model)
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            folder = Path(self.args.output_dir or "") / f"checkpoint-{self.state.global_step}"
            (folder / _WHOLE).touch()

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""


class LengthBatchesTrainer(PolicyTrainer):
    """Batches of rows of like length, in the same order on every worker and after a restart."""

    def get_train_dataloader(self) -> DataLoader:
        """Batches of the rows' `length` column."""
        rows: Any = self.train_dataset
        batches = LengthBatches(
            rows["length"],
            batch_size=self.args.per_device_train_batch_size,
            seed=derive_seed("batches", self.method.seed),
        )
        loader = DataLoader(
            rows,
            batch_sampler=batches,  # type: ignore[arg-type]
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(loader)


def build_optimizer(model: torch.nn.Module, method: MethodConfig) -> torch.optim.Optimizer:
    """Muon with AdamW, or AdamW for all, with the config's rates."""
    is_muon = method.optimizer == "muon"
    make = make_optimizer if is_muon else make_adamw
    return make(
        model,
        hidden_lr=method.hidden_lr,
        other_lr=method.other_lr or (method.hidden_lr / 4 if is_muon else method.hidden_lr),
        weight_decay=method.weight_decay,
    )


def shared_arguments(
    method: MethodConfig, work_dir: Path, *, num_workers: int, log_every: int
) -> dict[str, Any]:
    """The training arguments that all three trainers get."""
    has_gpu = torch.cuda.is_available()
    share = method.batch_size // num_workers
    micro = method.micro_batch_size or share
    return {
        "output_dir": str(work_dir / CHECKPOINTS),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "num_train_epochs": method.epochs,
        "max_steps": method.max_steps or -1,
        "max_grad_norm": method.max_grad_norm,
        "bf16": method.precision == "bfloat16",
        "gradient_checkpointing": method.gradient_checkpointing,
        # Between two checkpoints there is a look at the loss, so one of the two kept is good.
        "logging_steps": min(log_every, method.save_every_steps),
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": method.save_every_steps,
        "save_total_limit": 2,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": has_gpu,
        "dataloader_num_workers": 0,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": False,
        "use_cpu": not has_gpu,
        "seed": derive_seed("training", method.seed),
    }


def last_checkpoint(work_dir: Path, *, diverged: bool = False) -> Path | None:
    """The newest checkpoint that a training can go on from; what is no use is removed.

    Args:
        work_dir: the training's.
        diverged: it has diverged since, so only one that it went on well from is of use.
    """
    useful = _GOOD if diverged else _WHOLE
    found = _checkpoints(work_dir / CHECKPOINTS)
    for path in found:
        if not (path / useful).exists():
            shutil.rmtree(path)
    left = [path for path in found if path.exists()]
    return left[-1] if left else None


def _checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder by step, whole or not."""
    return sorted(folder.glob("checkpoint-*"), key=_step_of)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
