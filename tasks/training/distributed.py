"""Run a training function on N workers: the only part of training that uses Ray Train.

The only module outside the engines that imports ray. The function runs once per worker with
torch.distributed set up (nccl on GPUs, gloo on CPUs); the first worker's return value comes back,
and its progress reports reach the caller through a small actor. `ray.train.report` with a user
callback would not do: the callback runs in Ray Train's controller, which is an actor of its own,
and the call is a barrier at which all workers wait for one another. Nothing else is transferred:
data and checkpoints are passed by path. Ray is started and stopped by the caller.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Report = Callable[[Mapping[str, float]], None]
"""What a training function calls to report its progress; it never blocks."""

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

POLL_S = 0.5
"""Seconds between two queries for progress."""


def run_training(
    train: Callable[[JobT, Report], ResultT | None],
    job: JobT,
    *,
    num_workers: int,
    work_dir: Path,
    on_progress: Callable[[Mapping[str, float]], None] | None = None,
    cpus_per_worker: float = 1.0,
) -> ResultT:
    """Run `train(job, report)` on every worker; returns what the first worker returned.

    Args:
        train: a module-level function, so that workers can import it.
        job: its argument; small and picklable.
        num_workers: processes, one per GPU where Ray has GPUs; 0 calls `train` here, without Ray.
        work_dir: folder for Ray Train's own files; shared by all nodes when there are several.
        on_progress: called with each report of the first worker, on another thread.
        cpus_per_worker: Ray CPUs that each worker takes.

    Raises:
        ValueError: Ray has GPUs, but fewer than workers.
        Exception: whatever `train` raised on a worker, with that worker's traceback as its cause.
    """
    if num_workers == 0:
        return _returned(train(job, on_progress or _ignore))
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.exceptions import WorkerGroupError

    num_gpus = int(ray.cluster_resources().get("GPU", 0))
    if 0 < num_gpus < num_workers:
        raise ValueError(f"expected a GPU for each of {num_workers} workers, Ray has {num_gpus}")
    use_gpu = num_gpus > 0
    board: Any = ray.remote(num_cpus=0)(_Board).remote() if on_progress else None
    trainer = TorchTrainer(
        _train_loop,
        train_loop_config={"train": train, "job": job, "board": board},
        scaling_config=ScalingConfig(
            num_workers=num_workers,
            use_gpu=use_gpu,
            resources_per_worker={"CPU": cpus_per_worker} | ({"GPU": 1} if use_gpu else {}),
        ),
        run_config=RunConfig(
            storage_path=str(work_dir.resolve()), failure_config=FailureConfig(max_failures=0)
        ),
    )
    try:
        with _relayed(board, on_progress), _own_interrupt_handler():
            result = trainer.fit()
    except WorkerGroupError as error:
        raise _cause_of(error) from error
    finally:
        if board is not None:
            ray.kill(board)
    return _returned(result.return_value)


class _Board:
    """Holds the reports that have not been read yet."""

    def __init__(self) -> None:
        self._unread: list[Mapping[str, float]] = []

    def post(self, progress: Mapping[str, float]) -> None:
        self._unread.append(progress)

    def take(self) -> list[Mapping[str, float]]:
        unread, self._unread = self._unread, []
        return unread


def _train_loop(config: dict[str, Any]) -> Any:
    """What Ray Train runs on each worker."""
    from ray import train as ray_train

    context = ray_train.get_context()
    if context.get_world_size() == 1:
        # One worker is not distributed: with these set, the model would be wrapped to exchange
        # gradients with itself.
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK"):
            os.environ.pop(name, None)
    board = config["board"]
    report = _ignore
    if board is not None and context.get_world_rank() == 0:
        report = board.post.remote
    return config["train"](config["job"], report)


@contextmanager
def _relayed(
    board: Any, on_progress: Callable[[Mapping[str, float]], None] | None
) -> Iterator[None]:
    """Pass reports from the board to `on_progress` during the block, the rest when it ends."""
    if board is None or on_progress is None:
        yield
        return
    import ray

    ended = threading.Event()

    def relay() -> None:
        is_last = False
        while not is_last:
            is_last = ended.wait(POLL_S)
            for progress in ray.get(board.take.remote()):
                on_progress(progress)

    thread = threading.Thread(target=relay, name="training-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _own_interrupt_handler() -> Iterator[None]:
    """Restore the caller's Ctrl-C handler afterwards: Ray Train replaces it permanently."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _cause_of(error: Any) -> BaseException:
    """The exception that the training function itself raised, of the lowest rank that failed."""
    failure = error.worker_failures[min(error.worker_failures)]
    # Ray Train wraps what a worker raised to keep its traceback, without a public way to unwrap it.
    return getattr(failure, "_base_exc", failure)


def _returned(result: ResultT | None) -> ResultT:
    if result is None:
        raise ValueError("expected the first worker to return a result, got None")
    return result


def _ignore(progress: Mapping[str, float]) -> None:
    """A report that is not read."""
