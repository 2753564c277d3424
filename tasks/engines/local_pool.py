"""Engines in the process of the command, without Ray.

An engine that sends requests to a server, or looks its answers up, waits more than it works; a
process of its own would cost the start of Ray and of an actor, and every import a second time. For
a run of seconds that holds for a model that computes as well. The host runs on an event loop beside
the flow, on a thread.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from schemas.engines import EngineConfig, VLLMConfig
from schemas.errors import EngineFailed, StoreUnreachable
from schemas.pool import PoolConfig
from schemas.units import Receipt, Unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Counters, Host, Work
from tasks.engines.pool import EnginePool, rename

_Answer = TypeVar("_Answer")


class LocalPool(EnginePool):
    """One host in this process."""

    def __init__(self, root: str, engines: EngineSet, config: PoolConfig) -> None:
        """Describe a pool; nothing is started yet.

        Raises:
            ValueError: a server allows fewer concurrent requests than it serves roles.
        """
        super().__init__(root, engines, config)
        self._host = Host(root, engines.shared_by(1))
        self._earlier = Counters()
        self._room = threading.BoundedSemaphore(config.units_in_flight)
        self._starting, self._lock = threading.Lock(), threading.Lock()
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """As `EnginePool.start`; a store that does not answer is asked `max_restarts` times more.

        Raises:
            EngineFailed: a model's server cannot be reached.
            ModelUnusable: a model does not fit its role.
            StoreUnusable: the store is not there.
        """
        with self._starting:
            if self._has_started:
                return
            try:
                for num_left in reversed(range(self._config.max_restarts + 1)):
                    try:
                        self._call(self._host.open())
                        break
                    except StoreUnreachable:
                        if not num_left:
                            raise
            except BaseException:
                self.close()
                raise
            self.holds_gpus = self._engines.compute() and _has_gpus()
            self._has_started = True

    def run(self, unit: Unit, work: Work, config: Any) -> Receipt:
        """Run a unit when fewer than `units_in_flight` are in progress; the unit's receipt.

        Raises:
            EngineFailed: a server is gone, or the pool was closed.
            Exception: whatever the unit's work raised.
        """
        with self._room:
            self.start()
            return self._call(self._host.run(unit, work, config))

    def change_policy(self, policy: EngineConfig) -> bool:
        """Serve another checkpoint of the policy (see `ActorPool.change_policy`).

        Raises:
            ValueError: units are in progress.
            ModelUnusable: the model does not exist.
        """
        old = self._engines.get("policy")
        if policy == old:
            return True
        if not isinstance(old, VLLMConfig) or not isinstance(policy, VLLMConfig):
            return False
        from tasks.engines.policy_change import is_exchangeable

        if not is_exchangeable(old, policy):
            return False
        with self._starting, self._all_room():
            if not rename(self, self._engines.with_engine("policy", policy)):
                return False  # another pool has these engines
            try:
                if self._has_started:
                    self._call(self._host.change_policy(policy))
                    return True
            except EngineFailed:
                self._call(self._host.close())
            self._earlier.add(self._host.counters_so_far)
            self._host, self._has_started = Host(self._root, self._engines.shared_by(1)), False
        return True

    def counters(self) -> Counters:
        """The work so far."""
        counters = Counters()
        for each in (self._earlier, self._host.counters_so_far):
            counters.add(each)
        return counters

    def process_ids(self) -> list[int]:
        """This process, once the engines are open."""
        return [os.getpid()] if self._has_started and not self._is_closed else []

    def close(self) -> None:
        """Close the engines; a unit in progress raises EngineFailed."""
        with self._lock:
            loop, self._loop, self._is_closed = self._loop, None, True
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._end(), loop).result()
            loop.call_soon_threadsafe(loop.stop)

    def leaves_cpus(self, number: float) -> bool:
        """True: it takes none of Ray's."""
        return True

    @contextlib.contextmanager
    def _all_room(self) -> Iterator[None]:
        """Keep units from beginning; none may be in progress."""
        with contextlib.ExitStack() as taken:
            for _ in range(self._config.units_in_flight):
                if not self._room.acquire(blocking=False):
                    raise ValueError("expected no units while the policy changes, some are running")
                taken.callback(self._room.release)
            yield

    def _call(self, coroutine: Coroutine[Any, Any, _Answer]) -> _Answer:
        """The result of a coroutine on the host's event loop."""
        with self._lock:
            if self._is_closed:
                coroutine.close()
                raise EngineFailed("the pool is closed")
            if self._loop is None:
                self._loop = _start_loop()
            call = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return call.result()
        except CancelledError:
            raise EngineFailed("the pool is closed") from None

    async def _end(self) -> None:
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._host.close()


def _has_gpus() -> bool:
    """Whether a model that computes here does so on a GPU."""
    from tasks.engines.vllm_arguments import is_cpu_build

    return not is_cpu_build()


def _start_loop() -> asyncio.AbstractEventLoop:
    """An event loop that runs on a thread of its own until it is stopped, and then is closed."""
    loop = asyncio.new_event_loop()

    def run() -> None:
        try:
            loop.run_forever()
        finally:
            loop.close()

    threading.Thread(target=run, name="engines", daemon=True).start()
    return loop
