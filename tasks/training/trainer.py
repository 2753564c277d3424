"""What the trainers of all methods share: optimizer, rates, checkpoints, checks of the loss.

Import it where training starts, not at the top of a module: it needs torch and transformers.
Deviations from TRL: learning rates rise, stay and fall; a checkpoint counts only once a marker file
says that it is complete, so a process killed while writing one resumes from the one before; a loss
that is not a number, or a model that has become worse than guessing, ends the training; no card is
written with each checkpoint and no usage message is sent.
"""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch  # noqa: TID253 - this module is imported where training starts
from torch.optim.lr_scheduler import LambdaLR  # noqa: TID253
from torch.utils.data import DataLoader  # noqa: TID253
from transformers import PrinterCallback, Trainer  # noqa: TID253

from schemas.training.recipe import TrainingJob
from schemas.units import Unit, derive_seed
from tasks.training.common import (
    LOG_EVERY_STEPS,
    TrainingDiverged,
    check_loss,
    check_weights,
    lr_factor,
)
from tasks.training.length_batches import LengthBatches
from tasks.training.optimizers import make_optimizer
from tasks.training.rows import RowEncoder
from tasks.training.sharding import let_cpus_shard, sharding_arguments

CHECKPOINTS = "checkpoints"
"""Folder of a training's work folder that holds what it resumes from."""
_WHOLE = "whole"
"""Marker file of a completely written checkpoint."""
_GOOD = "good"
"""Marker file of a checkpoint after which training took some steps without diverging."""
_REMEDY = "lower hidden_lr"

Report = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a method's trainer gets besides its model and rows."""

    job: TrainingJob
    work_dir: Path
    num_workers: int
    """Processes that train together, this one included."""
    report: Report
    root: str | None = None
    """The store, for methods that write rows of their own."""
    unit: Unit | None = None
    """The training's own unit; its name begins the names of such rows' units."""


class MethodTrainer(Trainer):
    """A mix-in for TRL's trainers, which comes before them among the base classes.

    A method's module names its trainer `TRAINER`. It is made from (base, rows, work), where rows
    are those of `encode_row`, and may override what this class says of figures, counts and rows.
    """

    kept_columns: ClassVar[tuple[str, ...]] = ()
    """Columns of the set to keep besides those of `encode_row`."""
    work: Work
    worst_loss: float = math.inf
    """A loss above this means that the model has become useless."""

    @classmethod
    def encode_row(
        cls, encode: RowEncoder, row: Mapping[str, Any], job: TrainingJob
    ) -> Mapping[str, Any]:
        """The columns to train on, from a row of the set; `length` is one of them."""
        raise NotImplementedError

    def measure(self) -> dict[str, float]:
        """Figures of the trained model; called on all workers."""
        return {}

    def counts(self) -> dict[str, int]:
        """Rows trained on, and whatever else the method counts."""
        rows: Any = self.train_dataset
        return {"training_rows": len(rows)}

    def close(self) -> None:
        """Release the method's resources; called however training ended."""

    def save_rows(self, folder: Path) -> None:
        """Write the rows that the method made since the last checkpoint into a new one."""

    def commit_rows(self, folder: Path) -> None:
        """Commit the rows in a complete checkpoint to the store."""

    def watch(self, work: Work, worst_loss: float = math.inf) -> None:
        """Set the job and the progress report, before training."""
        self.work, self.worst_loss = work, worst_loss
        self._began = time.monotonic()
        self._seconds_before: float | None = None
        self.remove_callback(PrinterCallback)

    def create_accelerator_and_postprocess(self) -> None:
        """See transformers; where weights are sharded over CPUs, accelerate must allow it."""
        if self.args.fsdp and not torch.cuda.is_available():
            let_cpus_shard()
        super().create_accelerator_and_postprocess()

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The optimizer that the config names."""
        if self.optimizer is None:
            trained: Any = self.model if model is None else model
            recipe = self.work.job.recipe
            rates: Any = recipe.rates
            self.optimizer = make_optimizer(
                trained, kind=recipe.optimizer, weight_decay=recipe.weight_decay, **rates
            )
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Warm-up, plateau, and linear decay to zero."""
        if self.lr_scheduler is None:
            recipe = self.work.job.recipe
            factor = partial(
                lr_factor,
                num_steps=num_training_steps,
                warmup_steps=recipe.warmup_steps,
                decay_fraction=recipe.decay_fraction,
            )
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, factor)  # type: ignore
        return self.lr_scheduler  # type: ignore[return-value]

    @property
    def progress(self) -> float:
        """The share of the optimizer steps that are done, those before an interruption included."""
        return self.state.global_step / max(self.state.max_steps, 1)

    def seconds(self) -> float:
        """Seconds of training so far, including those before an interruption."""
        if self._seconds_before is None:
            known = [entry["seconds"] for entry in self.state.log_history if "seconds" in entry]
            self._seconds_before = known[-1] if known else 0.0
        return self._seconds_before + time.monotonic() - self._began

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the figures with the time, report them, and stop a training that diverges.

        Raises:
            TrainingDiverged: the training diverges.
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
        self.work.report(
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
        folder = Path(self.args.output_dir or "") / f"checkpoint-{self.state.global_step}"
        super()._save_checkpoint(model, trial)
        self.save_rows(folder)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            (folder / _WHOLE).touch()
        self.accelerator.wait_for_everyone()
        self.commit_rows(folder)

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""


class LengthBatchesTrainer(MethodTrainer):
    """Batches of rows of similar length, in the same order on every worker and after a restart."""

    def get_train_dataloader(self) -> DataLoader:
        """Batches of the rows' `length` column."""
        rows: Any = self.train_dataset
        batches = LengthBatches(
            rows["length"],
            batch_size=self.args.per_device_train_batch_size,
            seed=derive_seed("batches", self.work.job.recipe.seed),
        )
        loader = DataLoader(
            rows,
            batch_sampler=batches,  # type: ignore[arg-type]
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(loader)


def shared_arguments(work: Work, *, log_every: int = LOG_EVERY_STEPS) -> dict[str, Any]:
    """The training arguments that all trainers get."""
    recipe = work.job.recipe
    has_gpu = torch.cuda.is_available()
    share = recipe.batch_size // work.num_workers
    micro = recipe.micro_batch_size or share
    return {
        "output_dir": str(work.work_dir / CHECKPOINTS),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.max_steps or -1,
        "max_grad_norm": recipe.max_grad_norm,
        "bf16": recipe.precision == "bfloat16",
        "gradient_checkpointing": recipe.gradient_checkpointing,
        # The loss is checked between two checkpoints, so one of the two that are kept is good.
        "logging_steps": min(log_every, recipe.save_every_steps),
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": recipe.save_every_steps,
        "save_total_limit": 2,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": has_gpu,
        "dataloader_num_workers": 0,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": False,
        "use_cpu": not has_gpu,
        "seed": derive_seed("training", recipe.seed),
        **sharding_arguments(recipe.sharding),
    }


def last_checkpoint(work_dir: Path, *, diverged: bool = False) -> Path | None:
    """The newest checkpoint that a training can resume from; unusable ones are removed.

    Args:
        work_dir: the training's.
        diverged: the training diverged, so only a checkpoint with good steps after it is usable.
    """
    useful = _GOOD if diverged else _WHOLE
    found = _checkpoints(work_dir / CHECKPOINTS)
    for path in found:
        if not (path / useful).exists():
            shutil.rmtree(path)
    left = [path for path in found if path.exists()]
    return left[-1] if left else None


def _checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder by step, complete or not."""
    return sorted(folder.glob("checkpoint-*"), key=_step_of)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
