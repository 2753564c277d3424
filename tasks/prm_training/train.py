"""Train a verifier on a file of labelled solutions, on one worker or many.

TRL's PRM trainer (arXiv:2211.14275 for the outcome and process losses it implements) under Ray
Train. Each worker reads the file, lays out the same rows and trains on its share of every batch;
the first one measures the held-out problems and saves the checkpoint.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from schemas.prm_training import PrmTrainingConfig
from tasks.prm_training.checkpoint import save_verifier
from tasks.prm_training.examples import read_examples, split_by_problem
from tasks.prm_training.measure import heldout_loss, measure_verifier
from tasks.prm_training.model import load_base
from tasks.prm_training.token_rows import (
    TokenRow,
    check_labels,
    check_separator,
    encode_examples,
)
from tasks.training.distributed import Report, run_training


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedVerifier:
    """A saved verifier and what was measured."""

    model_id: str
    path: str
    counts: dict[str, int]
    """Rows and tokens trained on, rows dropped."""
    metrics: dict[str, float]
    """Held-out figures and the last training loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """What every worker is told."""

    config: PrmTrainingConfig
    examples_path: str
    checkpoints_dir: str
    work_dir: str


def train_verifier(
    config: PrmTrainingConfig,
    examples_path: Path,
    *,
    checkpoints_dir: Path,
    work_dir: Path,
    on_progress: Callable[[Mapping[str, float]], None] | None = None,
    cpus_per_worker: float = 1.0,
) -> TrainedVerifier:
    """Train, measure and save a verifier; Ray must be running unless `num_workers` is 0.

    Args:
        config: base model, labels, recipe, workers.
        examples_path: what `write_examples` wrote, where every worker can read it.
        checkpoints_dir: gets the folder `<model_id>`, whole or not at all.
        work_dir: for files that nobody needs afterwards.
        on_progress: told step, num_steps, loss and tokens now and then.
        cpus_per_worker: Ray CPUs that a worker takes.

    Raises:
        ModelUnusable: the base model or the separator does not fit.
        ValueError: there is nothing to learn from, or (`TrainingDiverged`) the loss was no number.
    """
    job = TrainingJob(
        config=config,
        examples_path=str(Path(examples_path).resolve()),
        checkpoints_dir=str(Path(checkpoints_dir).resolve()),
        work_dir=str(Path(work_dir).resolve()),
    )
    return run_training(
        train_on_worker,
        job,
        num_workers=config.num_workers,
        work_dir=Path(job.work_dir),
        on_progress=on_progress,
        cpus_per_worker=cpus_per_worker,
    )


def train_on_worker(job: TrainingJob, report: Report) -> TrainedVerifier | None:
    """The work of one training process; the first one returns what it saved, the others None."""
    # TRL warns at import that its PRM trainer may change; the version is pinned.
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from tasks.prm_training.trainer import (
        ReportProgress,
        StepTrainer,
        StopEarly,
    )
    from tasks.training.common import check_weights, num_training_processes

    config = job.config
    model, tokenizer = load_base(config.base_model, separator=config.separator)
    check_separator(tokenizer, config.separator)
    rows, heldout, counts = _load_rows(job, tokenizer, _max_length(config, model))
    progress = ReportProgress(report)
    callbacks: list[Any] = [progress]
    if config.early_stopping is not None and heldout:
        callbacks.append(StopEarly(config, partial(heldout_loss, model, heldout)))
    trainer = StepTrainer(
        model=model,
        tokenizer=tokenizer,
        rows=rows,
        config=config,
        work_dir=Path(job.work_dir),
        num_workers=num_training_processes(),
        callbacks=callbacks,
    )
    progress.trainer = trainer
    trainer.train()
    if not trainer.is_world_process_zero():
        return None
    check_weights(model)
    model.eval()
    metrics = measure_verifier(model, heldout) if heldout else {}
    metrics["training_loss"] = progress.last_loss
    counts |= {"steps": trainer.state.global_step, "tokens": trainer.num_tokens}
    model_id, path = save_verifier(
        model=model,
        tokenizer=tokenizer,
        config=config,
        checkpoints_dir=Path(job.checkpoints_dir),
        counts=counts,
        metrics=metrics,
    )
    return TrainedVerifier(model_id=model_id, path=str(path), counts=counts, metrics=metrics)


def _load_rows(
    job: TrainingJob, tokenizer: Any, max_length: int
) -> tuple[list[TokenRow], list[TokenRow], dict[str, int]]:
    """Rows to train on, rows to measure on, and how many there are."""
    config = job.config
    examples = read_examples(Path(job.examples_path))
    if not examples:
        raise ValueError(f"{job.examples_path}: expected examples to train on, got none")
    train, heldout = split_by_problem(
        examples, eval_fraction=config.eval_fraction, seed=config.seed
    )
    encode = partial(
        encode_examples,
        tokenizer=tokenizer,
        separator=config.separator,
        max_length=max_length,
        outcome_weight=config.outcome_weight,
    )
    rows, num_too_long = encode(train)
    heldout_rows, num_too_long_heldout = encode(heldout)
    if not rows and num_too_long:
        raise ValueError(
            f"expected examples of at most {max_length} tokens, all {num_too_long} are longer"
        )
    check_labels(rows)
    counts = {
        "training_rows": len(rows),
        "heldout_rows": len(heldout_rows),
        "too_long": num_too_long + num_too_long_heldout,
        "labelled_steps": sum(label is not None for row in rows for label in row.labels),
    }
    return rows, heldout_rows, counts


def _max_length(config: PrmTrainingConfig, model: Any) -> int:
    """The longest row in tokens: the config's limit, or the model's if that is shorter."""
    positions = getattr(model.config, "max_position_embeddings", None)
    return min(config.max_length, positions) if positions else config.max_length
