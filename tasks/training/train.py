"""Train a model on a built set, on one worker or many.

TRL's trainers run under Ray Train, or in this process. Each worker reads the set, turns it into the
same token ids and trains on its share of every batch; the first one saves. A training that was
killed resumes from its last complete checkpoint and ends with the same weights.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.prompts import ChatPromptConfig
from schemas.training.recipe import TrainingJob
from schemas.units import Unit
from tasks.models.folders import load_tokenizer
from tasks.training.card import save_model
from tasks.training.checks import check_models
from tasks.training.distributed import Report, run_training
from tasks.training.models import BaseModel, load_base, max_positions, merged
from tasks.training.rows import RowEncoder, load_rows
from tasks.training.sets import (
    TrainingSet,
    check_form,
    check_prompt,
    check_tokenizer,
    read_set,
)

_NO_FIGURES = frozenset({"epoch", "step", "num_input_tokens_seen", "train_runtime", "num_tokens"})
"""Entries of the trainer's log that are not measured figures, or have another name here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A saved model and what was measured during training."""

    model_id: str
    path: str
    counts: dict[str, int]
    """Rows, steps and tokens trained on, and rows dropped."""
    metrics: dict[str, float]
    """The last figures of the curve, figures of the trained model, and seconds."""
    curve: list[dict[str, float]]
    """Figures by step: each has `step` and what the method reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJob:
    """What every worker is given."""

    job: TrainingJob
    set_folder: str
    checkpoints_dir: str
    work_dir: str
    root: str | None
    unit: Unit | None


def train_model(
    job: TrainingJob,
    set_folder: Path,
    *,
    checkpoints_dir: Path,
    work_dir: Path,
    root: str | None = None,
    unit: Unit | None = None,
    on_progress: Callable[[Mapping[str, float]], None] | None = None,
    cpus_per_worker: float = 1.0,
) -> Trained:
    """Train and save a model; Ray must be running unless `num_workers` is 0.

    Args:
        job: the base model, the method and its recipe.
        set_folder: the training set.
        checkpoints_dir: gets the folder `<model_id>`, complete or not at all.
        work_dir: holds what an interrupted training resumes from; visible to all workers.
        root: the store to which methods commit the solutions they draw; None discards them.
        unit: the training's own unit; its name begins the names of such rows' units.
        on_progress: called with step, num_steps, loss and tokens every few steps.
        cpus_per_worker: Ray CPUs per worker.

    Raises:
        ValueError: the set does not fit the method, or no row can be used.
        ModelUnusable: the model cannot be trained, or its tokenizer does not fit the set.
        TrainingDiverged: the loss is not a number, or the model has become useless; the message
            names the last good checkpoint, which is kept.
    """
    worker_job = WorkerJob(
        job=job,
        set_folder=str(set_folder.resolve()),
        checkpoints_dir=str(checkpoints_dir.resolve()),
        work_dir=str(work_dir.resolve()),
        root=root,
        unit=unit,
    )
    return run_training(
        train_on_worker,
        worker_job,
        num_workers=job.recipe.num_workers,
        work_dir=work_dir / "ray",
        on_progress=on_progress,
        cpus_per_worker=cpus_per_worker,
    )


def train_on_worker(worker_job: WorkerJob, report: Report) -> Trained | None:
    """The work of one training process; the first one returns what it saved, the others None."""
    # TRL warns that parts of it may change; the version is pinned.
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from tasks.training.common import TrainingDiverged, check_weights, num_training_processes
    from tasks.training.sharding import state_bytes
    from tasks.training.trainer import Work, last_checkpoint

    job, work_dir = worker_job.job, Path(worker_job.work_dir)
    training_set = read_set(Path(worker_job.set_folder))
    check_set(training_set, job)
    check_models(job)
    base = load_base(job)
    if job.recipe.role == "policy":
        check_tokenizer(training_set, base.tokenizer, job.base[0])
    method = find_trainer(job)
    encoder = _make_encoder(base, training_set, job)
    rows, num_too_long = _load_rows(method, encoder, training_set, base, job, work_dir)
    work = Work(
        job=job,
        work_dir=work_dir,
        num_workers=num_training_processes(),
        report=report,
        root=worker_job.root,
        unit=worker_job.unit,
    )
    checkpoint = last_checkpoint(work_dir)
    trainer = method(base, rows, work)
    try:
        if checkpoint is not None:
            trainer.commit_rows(checkpoint)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        check_weights(trainer.model)
    except TrainingDiverged as error:
        kept = last_checkpoint(work_dir, diverged=True)
        raise TrainingDiverged(f"{error}; {_say_kept(kept)}") from error
    finally:
        trainer.close()
    measured = {**trainer.measure(), "state_bytes_per_worker": float(state_bytes(trainer))}
    whole = _whole_model(trainer, base, job)
    if not trainer.is_world_process_zero():
        return None
    curve = [_figures(entry) for entry in trainer.state.log_history if "loss" in entry]
    counts = {
        **trainer.counts(),
        "too_long": num_too_long,
        "steps": trainer.state.global_step,
        "tokens": int(trainer.state.num_input_tokens_seen),
    }
    last = curve[-1] if curve else {}
    metrics = {name: value for name, value in last.items() if name != "step"}
    metrics |= {**measured, "seconds": trainer.seconds()}
    model_id, path = save_model(
        whole,
        load_tokenizer(base.folder),
        job,
        training_set=training_set,
        checkpoints_dir=Path(worker_job.checkpoints_dir),
        counts=counts,
        metrics=metrics,
        probe_ids=encoder.text_ids(rows[0]) if job.recipe.role == "policy" else (),
    )
    return Trained(model_id=model_id, path=str(path), counts=counts, metrics=metrics, curve=curve)


def check_set(training_set: TrainingSet, job: TrainingJob) -> None:
    """Refuse a set that the job's method cannot be trained on.

    Raises:
        ValueError: its form is not the method's, or its prompts were made with another config.
    """
    check_form(training_set, job.recipe)
    check_prompt(training_set, job.prompt)
    if job.prompt.tools is not None and training_set.form != "prompt_completion":
        raise ValueError(
            "prompt.tools: expected a method that trains on completions (sft), where outputs of "
            f"programs carry no loss, got {job.recipe.method}"
        )


def find_trainer(job: TrainingJob) -> Any:
    """The trainer of a job's method: `TRAINER` of the module named after the method."""
    return importlib.import_module(f"tasks.training.methods.{job.recipe.method}").TRAINER


def _make_encoder(base: BaseModel, training_set: TrainingSet, job: TrainingJob) -> RowEncoder:
    return RowEncoder(
        base.tokenizer,
        has_chat_template=isinstance(job.prompt, ChatPromptConfig),
        is_whole=training_set.is_whole,
        masks_outputs=job.prompt.tools is not None,
    )


def _load_rows(
    method: Any,
    encoder: RowEncoder,
    training_set: TrainingSet,
    base: BaseModel,
    job: TrainingJob,
    work_dir: Path,
) -> tuple[Any, int]:
    """The method's rows that are short enough for it and the model, and the number that are not."""
    from tasks.training.common import training_rank

    limit = job.recipe.max_length
    return load_rows(
        training_set,
        lambda row: method.encode_row(encoder, row, job),
        kept=method.kept_columns,
        max_length=min(limit, max_positions(base.model) or limit),
        cache_dir=work_dir / f"rows-{training_rank()}",
    )


def _whole_model(trainer: Any, base: BaseModel, job: TrainingJob) -> Any:
    """The trained model ready to save, on the first worker; all workers take part if sharded."""
    from tasks.training.sharding import whole_state

    model = trainer.accelerator.unwrap_model(trainer.model)
    if job.recipe.sharding == "full":
        state = whole_state(trainer)
        if not trainer.is_world_process_zero():
            return None
        model = load_base(job).model
        model.load_state_dict(state)
    elif not trainer.is_world_process_zero():
        return None
    return merged(model.eval(), base.stored_dtype)


def _say_kept(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return "no good checkpoint existed yet"
    step = checkpoint.name.rpartition("-")[2]
    return f"the last good checkpoint, of step {step}, is kept in {checkpoint}"


def _figures(entry: Mapping[str, Any]) -> dict[str, float]:
    """An entry of the trainer's log as a point of the curve."""
    point = {"step": float(entry["step"])}
    for name, value in entry.items():
        if name not in _NO_FIGURES and isinstance(value, int | float):
            point[name] = float(value)
    point["tokens"] = float(entry.get("num_input_tokens_seen") or entry.get("num_tokens") or 0)
    return point
