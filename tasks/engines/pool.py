"""Engines that stay open while units are run on them: in this process, or in actors.

Engines that only send requests or look answers up run in the process of the command
(`local_pool.py`); a model that computes gets processes of its own, on all hosts of a Ray cluster
(`actor_pool.py`), unless the config asks for no actors. Either way a unit is run by a `Host`.
"""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from schemas.engines import EngineConfig
from schemas.pool import PoolConfig
from schemas.units import Receipt, Unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Counters, Work


class EnginePool(ABC):
    """Hosts that hold the same engines, started with the first unit. Thread-safe."""

    def __init__(self, root: str, engines: EngineSet, config: PoolConfig) -> None:
        """Describe a pool; nothing is started yet."""
        self._root, self._engines, self._config = root, engines, config
        self._has_started = False
        self.holds_gpus = False
        """Whether its actors keep GPUs from others while it is open."""

    @abstractmethod
    def start(self) -> None:
        """Open the engines unless they are open.

        Raises:
            EngineFailed: they cannot be opened.
            ModelUnusable: a model does not fit its role.
            StoreUnusable: the store is not visible.
        """

    @abstractmethod
    def run(self, unit: Unit, work: Work, config: Any) -> Receipt:
        """Run a unit when there is room for one; the unit's receipt.

        Raises:
            EngineFailed: an engine is gone, or the pool was closed.
            Exception: whatever the unit's work raised.
        """

    @abstractmethod
    def change_policy(self, policy: EngineConfig) -> bool:
        """Serve another checkpoint of the policy; whether that is possible.

        Raises:
            ValueError: units are in progress.
        """

    @abstractmethod
    def counters(self) -> Counters:
        """The work so far."""

    @abstractmethod
    def process_ids(self) -> list[int]:
        """The processes that hold open engines."""

    @abstractmethod
    def close(self) -> None:
        """Close the engines; a unit in progress raises EngineFailed."""

    @abstractmethod
    def leaves_cpus(self, number: float) -> bool:
        """Whether so many of Ray's CPUs are free beside the pool."""

    @property
    def is_open(self) -> bool:
        """Whether its engines were opened."""
        return self._has_started

    @property
    def words(self) -> str:
        """What its engines are, as in `policy world-policy`."""
        named = {role: getattr(e, "model", None) or e.type for role, e in self._engines.items()}
        return ", ".join(f"{role} {PurePath(name).name}" for role, name in named.items())

    @property
    def key(self) -> "_Key":
        """The key by which `open_pool` finds it."""
        return self._root, self._engines, self._config

    def hold_engines(self, engines: EngineSet) -> None:
        """Note that the engines are these, which differ in the policy."""
        self._engines = engines


_Key = tuple[str, EngineSet, PoolConfig]
_shared: dict[_Key, tuple[EnginePool, int]] = {}
_shared_lock = threading.Lock()


@contextlib.contextmanager
def open_pool(root: str, engines: EngineSet, config: PoolConfig) -> Iterator[EnginePool]:
    """A pool of these engines; nested calls with equal arguments share one pool.

    So a flow of several stages opens the engines once, by opening the pool around them.
    """
    key = (root, engines, config)
    with _shared_lock:
        pool, users = _shared.get(key) or (_make_pool(root, engines, config), 0)
        _shared[key] = (pool, users + 1)
    try:
        yield pool
    finally:
        with _shared_lock:
            key = pool.key  # its policy may have changed
            users = _shared[key][1] - 1
            if users:
                _shared[key] = (pool, users)
            else:
                del _shared[key]
                pool.close()


def rename(pool: EnginePool, engines: EngineSet) -> bool:
    """Give a pool other engines, by which `open_pool` finds it; False if another pool has them."""
    with _shared_lock:
        old, new = pool.key, (pool.key[0], engines, pool.key[2])
        if new in _shared:
            return False
        pool.hold_engines(engines)
        if old in _shared and _shared[old][0] is pool:
            _shared[new] = _shared.pop(old)
    return True


def _make_pool(root: str, engines: EngineSet, config: PoolConfig) -> EnginePool:
    """Actors if their number is set, or else if one of the engines needs them."""
    if config.num_actors == 0 or (config.num_actors is None and engines.run_anywhere()):
        from tasks.engines.local_pool import LocalPool

        return LocalPool(root, engines, config)
    from tasks.engines.actor_pool import ActorPool

    return ActorPool(root, engines, config)
