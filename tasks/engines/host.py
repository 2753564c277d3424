"""It holds the engines of a job and turns units into committed files.

A host is a plain class; `local_pool.py` runs one in this process, `actor_pool.py` makes actors of
it. Rows never leave it: it writes the rows of a unit to the store and returns a receipt. The store
is accessed from threads, so that the units of a host do not wait for each other's disk or network.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.engines import VLLMConfig
from schemas.errors import EngineFailed, RequestRejected, StoreUnusable
from schemas.graders import GraderConfig
from schemas.rows import ModelRole
from schemas.units import Receipt, Unit
from storage import Store
from tasks.engines.base import Engine
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import open_engine
from tasks.engines.shares import TimeShares
from tasks.graders import Grader, make_grader


@dataclass(slots=True)
class Counters:
    """A host's work since it started, for progress bars; the store is authoritative."""

    rows: int = 0
    generated_tokens: int = 0
    scored_tokens: int = 0

    def add(self, other: "Counters") -> None:
        """Add another host's figures."""
        self.rows += other.rows
        self.generated_tokens += other.generated_tokens
        self.scored_tokens += other.scored_tokens


@dataclass(slots=True)
class UnitContext:
    """The resources that the work of a unit may use."""

    store: Store
    engines: dict[ModelRole, Engine]
    counters: Counters
    _graders: dict[GraderConfig, Grader] = field(default_factory=dict)

    async def read(self, path: str, rows: tuple[int, int] | None = None) -> list:
        """As `Store.read`, without blocking other units."""
        return await asyncio.to_thread(self.store.read, path, rows)

    def engine(self, role: ModelRole) -> Engine:
        """The engine of a role.

        Raises:
            ValueError: this host has no engine for it.
        """
        if role not in self.engines:
            raise ValueError(
                f"expected an engine for the role {role}, this pool has {', '.join(self.engines)}"
            )
        return self.engines[role]

    def grader(self, config: GraderConfig) -> Grader:
        """The grader of a config, made once per host."""
        if config not in self._graders:
            self._graders[config] = make_grader(config)
        return self._graders[config]


Work = Callable[[Unit, Any, UnitContext], Awaitable[Sequence[object]]]
"""The work of a stage: a unit and the stage's config in, the unit's rows out."""


class Host:
    """Runs units, several at once, on engines that stay open."""

    def __init__(self, root: str, engines: EngineSet) -> None:
        """Prepare a host; its engines open with the first call.

        Args:
            root: the store.
            engines: the engines to run.
        """
        self._root = root
        self._engine_set = engines
        self._counters = Counters()
        self._shares = TimeShares()
        self._opening = asyncio.Lock()
        self._context: UnitContext | None = None

    async def open(self) -> dict[ModelRole, str]:
        """Open the store and the engines unless they are open; the model id of each role.

        Raises:
            ModelUnusable: a model does not fit its role.
            StoreUnusable: the store is not visible from here.
        """
        context = await self._open()
        return {role: engine.model_id for role, engine in context.engines.items()}

    async def run(self, unit: Unit, work: Work, config: Any) -> Receipt:
        """Do a unit's work and commit its file; an existing file is not made again.

        The receipt's seconds are the unit's share of the time, see `TimeShares`. The file may still
        appear after a caller has stopped waiting for it.

        Raises:
            EngineFailed: an engine is gone, and this host is unusable.
        """
        context = await self._open()
        store = context.store
        if await asyncio.to_thread(store.has, unit):
            return await asyncio.to_thread(store.receipt, unit)
        begun = self._shares.begin()
        try:
            rows = await work(unit, config, context)
        finally:
            seconds = self._shares.end(begun)
        return await asyncio.to_thread(store.commit, unit, rows, seconds=seconds)

    async def change_policy(self, policy: VLLMConfig) -> str:
        """Serve another checkpoint of the policy from now on; its model id.

        Call it only while no unit is in progress, and for a policy that `is_exchangeable` allows.

        Raises:
            EngineFailed: the engine does not serve it, and this host is unusable.
        """
        from tasks.engines.policy_change import give_checkpoint
        from tasks.engines.vllm_engine import VLLMEngine

        engine = (await self._open()).engine("policy")
        assert isinstance(engine, VLLMEngine)
        try:
            await give_checkpoint(engine, policy)
        except (ValueError, OSError, RequestRejected) as error:
            raise EngineFailed(f"policy {policy.model}: {error}") from error
        self._engine_set = self._engine_set.with_engine("policy", policy)
        return engine.model_id

    @property
    def counters_so_far(self) -> Counters:
        """The work of this host so far, to be read from any thread."""
        return self._counters

    async def counters(self) -> Counters:
        """The work of this host so far."""
        return self._counters

    async def close(self) -> None:
        """Close engines and graders."""
        context, self._context = self._context, None
        if context is None:
            return
        for engine in context.engines.values():
            await engine.close()
        for grader in context._graders.values():
            grader.close()

    async def _open(self) -> UnitContext:
        async with self._opening:
            if self._context is None:
                store = await asyncio.to_thread(_find_store, self._root)
                context = UnitContext(store, {}, self._counters)
                try:
                    for role, config in self._engine_set.items():
                        context.engines[role] = await open_engine(
                            config, role, separator=self._engine_set.separator
                        )
                except BaseException:
                    for engine in context.engines.values():
                        await engine.close()
                    raise
                self._context = context
            return self._context


def _find_store(root: str) -> Store:
    """The store of the run; a host on which it is not visible must not create another.

    Raises:
        StoreUnusable: it does not exist here.
    """
    try:
        return Store(root, create=False)
    except StoreUnusable as error:
        raise StoreUnusable(
            f"host {socket.gethostname()} does not see the run's store: {error}; every host needs "
            "the same one, in a shared folder or at an s3:// address"
        ) from error
