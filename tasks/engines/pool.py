"""Hosts as Ray actors, and units handed to the idle ones. The engines' only `import ray`.

Restarting and retrying is Ray's work: an actor whose process dies is started again
(`max_restarts`) and the units it was in are run again (`max_task_retries`); those that were
committed before the death return at once.
"""

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Iterator
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from schemas.errors import EngineFailed
from schemas.pool import PoolConfig
from schemas.units import Receipt, Unit
from tasks.engines.host import Counters, EngineSet, Host, Work

_MOST_CPU_ACTORS = 8
_ENGINE_FAILED_EXIT = 70
_OBJECT_STORE_BYTES = 256 * 1024**2
"""Unit descriptions and receipts are all that travels."""

_starting = threading.Lock()


def start_ray() -> None:
    """Connect to the cluster that RAY_ADDRESS names, or start a Ray of this machine's own.

    The kernel ends Ray's processes with the thread that started them, so a thread that will end
    has another one start them, which waits for ever.
    """
    with _starting:
        if ray.is_initialized():
            return
        if threading.current_thread() is threading.main_thread():
            _init_ray()
            return
        outcome: queue.Queue[BaseException | None] = queue.Queue()

        def start_and_stay() -> None:
            try:
                _init_ray()
            except BaseException as error:
                outcome.put(error)
            else:
                outcome.put(None)
                threading.Event().wait()

        threading.Thread(target=start_and_stay, name="ray", daemon=True).start()
        if (error := outcome.get()) is not None:
            raise error


def _init_ray() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address := os.environ.get("RAY_ADDRESS"):
        ray.init(address=address, **quiet)
        return
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    # "local": without it Ray would join whichever instance was last started on this machine.
    ray.init(
        address="local", include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, **quiet
    )


def stop_ray() -> None:
    """Disconnect, and stop a Ray that `start_ray` started."""
    ray.shutdown()


class EnginePool:
    """Actors that hold the same engines, started with the first unit. Safe for many threads."""

    def __init__(self, root: str, engines: EngineSet, config: PoolConfig) -> None:
        """Describe a pool; nothing starts yet."""
        self._root, self._engines, self._config = root, engines, config
        self._actors: list[Any] = []
        self._idle: queue.Queue[Any] = queue.Queue()
        self._num_slots = 0
        self._lock = threading.Lock()
        self.holds_gpus = False
        """Whether its actors keep GPUs from others while it is open."""

    def start(self) -> None:
        """Start the actors if they are not; they open their engines side by side.

        Raises:
            ModelUnusable: a model does not fit its role.
            ValueError: the cluster cannot hold one actor.
        """
        with self._lock:
            if self._actors:
                return
            start_ray()
            config, gpus = self._config, self._gpus_per_actor()
            number = config.num_actors or self._usual_number(gpus)
            actor_class = ray.remote(_HostActor).options(
                num_cpus=config.cpus_per_actor,
                num_gpus=gpus,
                max_restarts=config.max_restarts,
                max_task_retries=config.max_task_retries,
                max_concurrency=config.units_in_flight + 2,
            )
            actors: list[Any] = [
                actor_class.remote(self._root, self._engines) for _ in range(number)
            ]
            try:
                _get([actor.open.remote() for actor in actors])
            except BaseException:
                for actor in actors:
                    ray.kill(actor)
                raise
            self._actors = actors
            self.holds_gpus = gpus > 0
            for actor in actors * config.units_in_flight:
                self._idle.put(actor)
            self._num_slots = len(actors) * config.units_in_flight

    def run(self, unit: Unit, work: Work, config: Any) -> Receipt:
        """Run a unit on an actor with room, waiting for one; the unit's receipt.

        Raises:
            EngineFailed: actors died more often than `max_restarts`, and none is left.
            Exception: what the unit's work raised.
        """
        self.start()
        while True:
            actor = self._idle.get()
            if actor is None:
                self._idle.put(None)
                raise EngineFailed("no actor is left: all died more often than max_restarts allows")
            try:
                receipt = _get(actor.run.remote(unit, work, config))
            except RayActorError:
                self._retire_slot()
                continue
            except BaseException:
                self._idle.put(actor)
                raise
            self._idle.put(actor)
            return receipt

    def counters(self) -> Counters:
        """What all actors have done so far; those that do not answer in a second are left out."""
        if not self._actors:
            return Counters()
        calls = [actor.counters.remote() for actor in self._actors]
        ready, _ = ray.wait(calls, num_returns=len(calls), timeout=1.0)
        total = Counters()
        for call in ready:
            with contextlib.suppress(RayError):
                total.add(ray.get(call))
        return total

    def process_ids(self) -> list[int]:
        """The process of each actor."""
        return _get([actor.process_id.remote() for actor in self._actors])

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []

    def _retire_slot(self) -> None:
        with self._lock:
            self._num_slots -= 1
            if self._num_slots == 0:
                self._idle.put(None)

    def _gpus_per_actor(self) -> float:
        if self._config.gpus_per_actor is not None:
            return self._config.gpus_per_actor
        if not ray.cluster_resources().get("GPU"):
            return 0
        engines = self._engines.by_role().values()
        return float(max((getattr(e, "tensor_parallel_size", 0) for e in engines), default=0))

    def _usual_number(self, gpus_per_actor: float) -> int:
        resources = ray.cluster_resources()
        if not gpus_per_actor:
            return max(1, min(int(resources.get("CPU", 1)), _MOST_CPU_ACTORS))
        number = int(resources.get("GPU", 0) // gpus_per_actor)
        if number == 0:
            raise ValueError(
                f"expected {gpus_per_actor:g} GPUs for an actor, the cluster has "
                f"{resources.get('GPU', 0):g}"
            )
        return number


class _HostActor(Host):
    """A host in a process of its own, which ends with its engine."""

    def __init__(self, root: str, engines: EngineSet) -> None:
        super().__init__(root, engines, on_engine_failed=lambda: os._exit(_ENGINE_FAILED_EXIT))

    async def process_id(self) -> int:
        return os.getpid()


_shared: dict[tuple[str, EngineSet, PoolConfig], tuple[EnginePool, int]] = {}
_shared_lock = threading.Lock()


@contextlib.contextmanager
def open_pool(root: str, engines: EngineSet, config: PoolConfig) -> Iterator[EnginePool]:
    """A pool of these engines; inside another `open_pool` of the same it is the same pool.

    So a flow of several stages opens the engines once by holding the pool around them.
    """
    key = (root, engines, config)
    with _shared_lock:
        pool, users = _shared.get(key) or (EnginePool(root, engines, config), 0)
        _shared[key] = (pool, users + 1)
    try:
        yield pool
    finally:
        with _shared_lock:
            users = _shared[key][1] - 1
            if users:
                _shared[key] = (pool, users)
            else:
                del _shared[key]
                pool.close()


def _get(calls: Any) -> Any:
    """The results of calls; an error raised in an actor is raised here as what it was."""
    try:
        return ray.get(calls)
    except RayTaskError as error:
        raise error.cause from error
