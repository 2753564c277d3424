"""Hosts as Ray actors, and units handed to those with room.

Ray places actors, reports their deaths and ends them; the pool itself replaces them and retries
their units. Ray's own `max_restarts` is a budget per actor, which a single unit that always kills
its actor would use up for all units, and Ray retries all units of a dead actor together, so the
harmless ones die again with the one that killed it. Here each unit is retried alone on an actor,
and only its own deaths count. A unit that was committed before the death returns at once.
"""

import contextlib
import logging
import os
import pickle
import threading
from typing import Any

import ray
from ray.exceptions import RayError

from schemas.engines import EngineConfig, VLLMConfig
from schemas.errors import (
    EngineFailed,
    EngineUnreachable,
    StepmillError,
    StoreUnreachable,
    UnitKilledItsActor,
)
from schemas.pool import PoolConfig
from schemas.rows import ModelRole
from schemas.units import Receipt, Unit
from tasks.engines.actor_count import NodeRoom, actor_memory, asked_count, usual_count
from tasks.engines.cluster import fetch, fetch_unless_all_dead, start_ray
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Counters, Host, Work
from tasks.engines.memory import read_memory
from tasks.engines.policy_change import is_exchangeable
from tasks.engines.pool import EnginePool, rename
from tasks.engines.roster import Member, Roster

_log = logging.getLogger(__name__)


class ActorPool(EnginePool):
    """Actors that hold the same engines, started with the first unit."""

    def __init__(self, root: str, engines: EngineSet, config: PoolConfig) -> None:
        """Describe a pool; nothing is started yet."""
        super().__init__(root, engines, config)
        self._engines_of_one = engines
        self._roster = Roster(units_in_flight=config.units_in_flight, timeout_s=config.timeout_s)
        self._actor_class: Any = None
        self._living: set[Any] = set()
        self._reported: dict[Any, Counters] = {}
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._is_closed = False

    def start(self) -> None:
        """Start the actors unless they run, spread over the nodes, and wait until they are open.

        Raises:
            EngineFailed: an actor died or failed to open `max_restarts` + 1 times, or none was
                open within `timeout_s`.
            ModelUnusable: a model does not fit its role.
            StoreUnusable: the store is not visible on a node.
            ValueError: the cluster cannot hold one actor.
        """
        with self._starting:
            if self._has_started:
                return
            start_ray(self._config.timeout_s)
            gpus = self._gpus_per_actor()
            number = self._number_of_actors(gpus)
            self._engines_of_one = self._engines.shared_by(number)
            self._actor_class = ray.remote(_HostActor).options(
                num_cpus=self._config.cpus_per_actor,
                num_gpus=gpus,
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=self._config.units_in_flight + 2,
                scheduling_strategy="SPREAD",
            )
            for _ in range(number):
                self._begin_opening()
            try:
                self._roster.wait_for_all()
            except BaseException:
                self.close()
                raise
            self.holds_gpus = gpus > 0
            self._has_started = True

    def run(self, unit: Unit, work: Work, config: Any) -> Receipt:
        """Run a unit on an actor with room, waiting for one; the unit's receipt.

        Raises:
            UnitKilledItsActor: its actor or engine died, `max_task_retries` + 1 times.
            EngineFailed: no actor is left, none was open for `timeout_s`, or Ray or an engine's
                server is gone.
            Exception: whatever the unit's work raised.
        """
        self.start()
        num_deaths = 0
        while True:
            with self._roster.take(alone=num_deaths > 0) as member:
                try:
                    return fetch(member.actor.run.remote(unit, work, config))
                except EngineUnreachable:
                    raise
                except EngineFailed as error:
                    self._replace(member)
                    num_deaths += 1
                    if num_deaths > self._config.max_task_retries and not self._is_closed:
                        raise UnitKilledItsActor(
                            f"{unit.path}: {num_deaths} actors or their engines died while they "
                            f"worked on it; the last: {error}"
                        ) from error

    def change_policy(self, policy: EngineConfig) -> bool:
        """Have the actors serve another checkpoint of the policy; whether that is possible.

        It is possible if a newly opened actor would serve the same, see `is_exchangeable`.
        Afterwards `open_pool` finds this pool under the new policy. An actor whose engine does not
        serve it, according to the checkpoint's probe, is replaced by one that opens with it.

        Raises:
            ValueError: units are in progress.
            ModelUnusable: the model does not exist.
            EngineUnreachable: Ray is gone.
        """
        if policy == self._engines.get("policy"):
            return True
        if not is_exchangeable(self._engines.get("policy"), policy):
            return False
        with self._starting, self._roster.hold():
            if not rename(self, self._engines.with_engine("policy", policy)):
                return False  # another pool has these engines
            calls = [(m, m.actor.change_policy.remote(policy)) for m in self._roster.members()]
            for member, call in calls:
                try:
                    fetch(call)
                except EngineUnreachable:
                    raise
                except EngineFailed:
                    self._replace(member)
        return True

    def counters(self) -> Counters:
        """The work of all actors so far; if one takes over a second to answer, its last report."""
        calls = {actor.counters.remote(): actor for actor in self._roster.actors()}
        ready = ray.wait([*calls], num_returns=len(calls), timeout=1.0)[0] if calls else []
        for call in ready:
            with contextlib.suppress(RayError):
                self._reported[calls[call]] = ray.get(call)
        self._reported = {a: self._reported[a] for a in calls.values() if a in self._reported}
        total = Counters()
        for counters in self._reported.values():
            total.add(counters)
        return total

    def process_ids(self) -> list[int]:
        """The process of each open actor."""
        return [fetch(actor.process_id.remote()) for actor in self._roster.actors()]

    def close(self) -> None:
        """End the actors; a unit in progress raises EngineFailed."""
        self._roster.close()
        with self._lock:
            self._is_closed = True
            for actor in self._living:
                ray.kill(actor)
            self._living.clear()

    def leaves_cpus(self, number: float) -> bool:
        """Whether so many of Ray's CPUs are free beside the actors; True before the pool starts."""
        return not self._has_started or ray.available_resources().get("CPU", 0) >= number

    def hold_engines(self, engines: EngineSet) -> None:
        """Have actors that open later hold these engines, which differ in the policy."""
        with self._lock:
            super().hold_engines(engines)
            self._engines_of_one = self._engines_of_one.with_engine("policy", engines["policy"])

    def _begin_opening(self) -> None:
        self._roster.expect()
        threading.Thread(target=self._open_one, name="open an actor", daemon=True).start()

    def _open_one(self) -> None:
        """Add an actor with open engines to the roster, or give up with the reason."""
        num_left = self._config.max_restarts
        while True:
            engines = self._engines_of_one
            try:
                actor = self._open_actor(engines)
            except Exception as error:
                if num_left == 0 or not _is_worth_another_actor(error):
                    self._roster.give_up(error)
                    return
                num_left -= 1
                continue
            with self._lock:
                if engines is self._engines_of_one:
                    self._roster.add(actor)
                    return
            self._end(actor)  # the policy changed while it opened

    def _open_actor(self, engines: EngineSet) -> Any:
        with self._lock:
            if self._is_closed:
                raise EngineUnreachable("the pool is closed")
            actor = self._actor_class.remote(self._root, engines)
            self._living.add(actor)
        try:
            fetch_unless_all_dead(actor.open.remote())
        except BaseException:
            self._end(actor)
            raise
        return actor

    def _replace(self, member: Member) -> None:
        """Open another actor in place of a lost one, unless another unit has already done so."""
        if self._roster.remove(member):
            self._begin_opening()
            self._end(member.actor)

    def _end(self, actor: Any) -> None:
        """End an actor; an unreachable one ends when it becomes reachable, or with its node."""
        with self._lock:
            self._living.discard(actor)
        ray.kill(actor)

    def _gpus_per_actor(self) -> float:
        if self._config.gpus_per_actor is not None:
            return self._config.gpus_per_actor
        if not ray.cluster_resources().get("GPU"):
            return 0
        engines = self._engines.values()
        return float(max((getattr(e, "tensor_parallel_size", 0) for e in engines), default=0))

    def _number_of_actors(self, gpus_per_actor: float) -> int:
        """As the config says, or by GPUs, or by cores and memory; a number by memory is logged."""
        asked = self._config.num_actors
        if gpus_per_actor:
            return asked or _number_by_gpus(gpus_per_actor)
        if self._engines.are_served():
            return asked or 1
        nodes, actor = _nodes(), actor_memory(self._engines)
        count = asked_count(asked, nodes, actor) if asked else usual_count(nodes, actor)
        _log.log(logging.WARNING if count.is_short else logging.INFO, "%s", count.reason)
        return count.number


def _number_by_gpus(gpus_per_actor: float) -> int:
    num_gpus = ray.cluster_resources().get("GPU", 0)
    if num_gpus < gpus_per_actor:
        raise ValueError(
            f"expected {gpus_per_actor:g} GPUs for an actor, the cluster has {num_gpus:g}"
        )
    return int(num_gpus // gpus_per_actor)


def _nodes() -> list[NodeRoom]:
    """The cluster's nodes. Of others than this one only Ray knows the memory, as it started."""
    here, memory = ray.get_runtime_context().get_node_id(), read_memory()
    nodes = []
    for node in ray.nodes():
        if node["Alive"]:
            offered = node["Resources"]
            free = offered.get("memory")
            if node["NodeID"] == here and memory is not None:
                free = memory.free
            nodes.append(NodeRoom(offered.get("CPU", 0), None if free is None else int(free)))
    return nodes


class _HostActor(Host):
    """A host in a process of its own; every error it raises can be pickled."""

    async def open(self) -> dict[ModelRole, str]:
        try:
            return await super().open()
        except Exception as error:
            raise _portable(error) from error

    async def run(self, unit: Unit, work: Work, config: Any) -> Receipt:
        try:
            return await super().run(unit, work, config)
        except Exception as error:
            raise _portable(error) from error

    async def change_policy(self, policy: VLLMConfig) -> str:
        try:
            return await super().change_policy(policy)
        except Exception as error:
            raise _portable(error) from error

    async def process_id(self) -> int:
        return os.getpid()


def _portable(error: Exception) -> Exception:
    """The error, or one with the same text if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return StepmillError(f"{type(error).__name__}: {error}")
    return error


def _is_worth_another_actor(error: Exception) -> bool:
    if isinstance(error, EngineUnreachable):
        return False
    return isinstance(error, EngineFailed | StoreUnreachable)
