"""Train a policy on a built set, on one worker or many.

TRL's SFT, DPO and GRPO trainers under Ray Train, or in this process. Each worker reads the set,
turns it into the same token ids and trains on its share of every batch; the first one saves. A
training that was killed goes on from its last whole checkpoint and ends with the same weights.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.policy_training import DpoConfig, GrpoConfig, PolicyTrainingJob
from schemas.prompts import ChatPromptConfig
from tasks.models.folders import load_tokenizer
from tasks.policy_training.checkpoint import save_policy
from tasks.policy_training.model import BasePolicy, load_policy, max_positions, merged
from tasks.policy_training.sets import check_form, check_prompt, check_tokenizer, read_set
from tasks.policy_training.token_rows import RowEncoder, load_rows
from tasks.training.distributed import Report, run_training

_NO_FIGURES = frozenset({"epoch", "step", "num_input_tokens_seen", "train_runtime", "num_tokens"})
"""Entries of the trainer's log that are no measured figures, or are there under another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPolicy:
    """A saved policy and what was measured on the way."""

    model_id: str
    path: str
    counts: dict[str, int]
    """Rows, steps and tokens trained on, rows dropped."""
    metrics: dict[str, float]
    """The last figures of the curve, and seconds."""
    curve: list[dict[str, float]]
    """Figures by step: each has `step` and what the method tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJob:
    """What every worker is told."""

    job: PolicyTrainingJob
    set_folder: str
    checkpoints_dir: str
    work_dir: str


def train_policy(
    job: PolicyTrainingJob,
    set_folder: Path,
    *,
    checkpoints_dir: Path,
    work_dir: Path,
    on_progress: Callable[[Mapping[str, float]], None] | None = None,
    cpus_per_worker: float = 1.0,
) -> TrainedPolicy:
    """Train and save a policy; Ray must be running unless `num_workers` is 0.

    Args:
        job: the policy, the method and its recipe.
        set_folder: the training set.
        checkpoints_dir: gets the folder `<model_id>`, whole or not at all.
        work_dir: keeps what an interrupted training goes on from; all workers see it.
        on_progress: told step, num_steps, loss and tokens now and then.
        cpus_per_worker: Ray CPUs that a worker takes.

    Raises:
        ValueError: the set does not fit the method, or no row can be used.
        ModelUnusable: the policy cannot be trained, or its tokenizer does not fit the set.
        TrainingDiverged: the loss is not a number or the policy became useless; the message names
            the last good checkpoint, which is kept.
    """
    worker_job = WorkerJob(
        job=job,
        set_folder=str(set_folder.resolve()),
        checkpoints_dir=str(checkpoints_dir.resolve()),
        work_dir=str(work_dir.resolve()),
    )
    return run_training(
        train_on_worker,
        worker_job,
        num_workers=job.method.num_workers,
        work_dir=work_dir / "ray",
        on_progress=on_progress,
        cpus_per_worker=cpus_per_worker,
    )


def train_on_worker(worker_job: WorkerJob, report: Report) -> TrainedPolicy | None:
    """The work of one training process; the first one returns what it saved, the others None."""
    # TRL warns that rollout functions may change; the version is pinned.
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from tasks.policy_training.trainer import last_checkpoint
    from tasks.training.common import TrainingDiverged, check_weights, training_rank

    job, work_dir = worker_job.job, Path(worker_job.work_dir)
    training_set = read_set(Path(worker_job.set_folder))
    check_form(training_set, job.method)
    check_prompt(training_set, job.prompt)
    base = load_policy(job.policy, job.method)
    check_tokenizer(training_set, base.tokenizer, job.policy.model)
    positions = max_positions(base.model)
    limit = min(job.method.max_length, positions or job.method.max_length)
    rows, num_too_long = load_rows(
        training_set,
        base.tokenizer,
        has_chat_template=isinstance(job.prompt, ChatPromptConfig),
        max_length=limit,
        cache_dir=work_dir / f"rows-{training_rank()}",
    )
    checkpoint = last_checkpoint(work_dir)
    trainer = _make_trainer(base, rows, job, work_dir, report)
    try:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        check_weights(trainer.model)
    except TrainingDiverged as error:
        kept = last_checkpoint(work_dir, diverged=True)
        raise TrainingDiverged(f"{error}; {_say_kept(kept)}") from error
    finally:
        if isinstance(job.method, GrpoConfig):
            trainer.rollouts.close()
    if not trainer.is_world_process_zero():
        return None
    curve = [_figures(entry) for entry in trainer.state.log_history if "loss" in entry]
    counts = {
        "training_rows": len(rows),
        "too_long": num_too_long,
        "steps": trainer.state.global_step,
        "tokens": int(trainer.state.num_input_tokens_seen),
    }
    last = curve[-1] if curve else {}
    metrics = {name: value for name, value in last.items() if name != "step"}
    metrics["seconds"] = trainer.seconds()
    encoder = RowEncoder(base.tokenizer, has_chat_template=isinstance(job.prompt, ChatPromptConfig))
    whole = merged(trainer.accelerator.unwrap_model(trainer.model), base.stored_dtype)
    model_id, path = save_policy(
        whole,
        load_tokenizer(base.folder),
        job,
        training_set=training_set.name,
        checkpoints_dir=Path(worker_job.checkpoints_dir),
        counts=counts,
        metrics=metrics,
        probe_ids=encoder.text_ids(rows[0]),
    )
    return TrainedPolicy(
        model_id=model_id, path=str(path), counts=counts, metrics=metrics, curve=curve
    )


def _make_trainer(
    base: BasePolicy, rows: Any, job: PolicyTrainingJob, work_dir: Path, report: Report
) -> Any:
    """The method's trainer."""
    from tasks.training.common import num_training_processes

    num_workers = num_training_processes()
    if isinstance(job.method, GrpoConfig):
        from tasks.policy_training.grpo import RewardTrainer

        needed = job.method.batch_size // job.method.group_size
        if len(rows) < needed:
            raise ValueError(
                f"expected at least {needed} start states, as many as a batch of "
                f"{job.method.batch_size} solutions holds, got {len(rows)}"
            )
        return RewardTrainer(
            base, rows, job, work_dir=work_dir, num_workers=num_workers, report=report
        )
    if isinstance(job.method, DpoConfig):
        from tasks.policy_training.dpo import PreferenceTrainer

        return PreferenceTrainer(
            base, rows, job.method, work_dir=work_dir, num_workers=num_workers, report=report
        )
    from tasks.policy_training.sft import ImitationTrainer

    return ImitationTrainer(
        base, rows, job.method, work_dir=work_dir, num_workers=num_workers, report=report
    )


def _say_kept(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return "there was no good checkpoint yet"
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
