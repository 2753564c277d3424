"""How many actors fit on a machine without a GPU: by cores, and by the memory that each takes.

An actor holds the weights of its engines, their key-value caches, which vLLM fills with zeros as
it starts, and its process. Measured on SmolLM2-135M in bfloat16 with a cache of 1 GiB: 2.41 GB at
most, of which .27 are weights and 1.07 cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.engines import VLLMConfig
from schemas.errors import ModelUnusable
from tasks.engines.engine_set import EngineSet

MAX_CPU_ACTORS = 8
ENGINE_PROCESS_BYTES = 1_200_000_000
"""A process with torch and vLLM; an engine in a process of its own makes another one."""
PLAIN_PROCESS_BYTES = 300_000_000
"""A process without them, for analytic and served engines."""
_BYTES_OF = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True)
class ActorMemory:
    """The bytes that one actor is expected to take."""

    process: int
    weights: int = 0
    cache: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.process + self.weights + self.cache

    def describe(self) -> str:
        """Such as `2.5 GB (weights 0.3, key-value cache 1.1, process 1.2)`."""
        parts = {"weights": self.weights, "key-value cache": self.cache, "process": self.process}
        each = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in parts.items() if size)
        return f"{self.total / 1e9:.1f} GB ({each})"


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What a node offers to actors."""

    num_cpus: float
    free_bytes: int | None
    """None where it is not known: then only the cores count."""


@dataclass(frozen=True, slots=True)
class ActorCount:
    """A number of actors, and how it came about."""

    number: int
    reason: str
    is_short: bool
    """Whether there is less memory than the number, or one actor per core, would take."""


def actor_memory(engines: EngineSet) -> ActorMemory:
    """Estimate what an actor with these engines takes on a machine without a GPU.

    Weights of a model that cannot be read from here count nothing: its actor will say why.
    """
    local = [config for config in engines.values() if isinstance(config, VLLMConfig)]
    if not local:
        return ActorMemory(process=PLAIN_PROCESS_BYTES)
    num_processes = 1 + sum(config.process == "own" for config in local)
    return ActorMemory(
        process=num_processes * ENGINE_PROCESS_BYTES,
        weights=sum(map(weight_bytes, local)),
        cache=sum(config.cpu_kv_cache_gb << 30 for config in local),
    )


def weight_bytes(config: VLLMConfig) -> int:
    """Bytes of a model's weights in the type that its engine computes in; 0 if it is unreadable."""
    from safetensors import SafetensorError

    from tasks.models.files import stored_dtype, weight_files
    from tasks.models.folders import read_config, resolve_model

    try:
        folder = resolve_model(config.model, config.revision)
        size = sum(file.stat().st_size for file in weight_files(folder))
        stored = stored_dtype(folder, read_config(folder))
    except (ModelUnusable, OSError, SafetensorError):
        return 0
    if stored is None or config.dtype == "auto":
        return size
    return size * _BYTES_OF[config.dtype] // _BYTES_OF[stored]


def usual_count(nodes: Sequence[NodeRoom], actor: ActorMemory) -> ActorCount:
    """One actor per core, as far as memory allows; at least one, and at most `MAX_CPU_ACTORS`.

    Args:
        nodes: those that actors may be placed on; the memory of nodes without a core is left out.
        actor: what each takes.
    """
    by_cores = max(1, min(int(sum(node.num_cpus for node in nodes)), MAX_CPU_ACTORS))
    by_memory = _most_by_memory(nodes, actor)
    if by_memory is None or by_memory >= by_cores:
        return _count(by_cores, "one per core, at most 8", nodes, actor)
    if by_memory == 0:
        return _count(1, "though memory may not suffice", nodes, actor, is_short=True)
    return _count(by_memory, "as many as memory allows", nodes, actor, is_short=True)


def asked_count(number: int, nodes: Sequence[NodeRoom], actor: ActorMemory) -> ActorCount:
    """The number that a config names, which is kept even where memory is short."""
    by_memory = _most_by_memory(nodes, actor)
    if by_memory is None or by_memory >= number:
        return _count(number, "by pool.num_actors", nodes, actor)
    why = f"by pool.num_actors, though memory may suffice for {by_memory} only"
    return _count(number, why, nodes, actor, is_short=True)


def _most_by_memory(nodes: Sequence[NodeRoom], actor: ActorMemory) -> int | None:
    """Actors that fit into the memory of all nodes with a core; None if a node's is not known."""
    total = 0
    for node in nodes:
        if node.num_cpus > 0:
            if node.free_bytes is None:
                return None
            total += node.free_bytes // actor.total
    return total


def _count(
    number: int,
    why: str,
    nodes: Sequence[NodeRoom],
    actor: ActorMemory,
    *,
    is_short: bool = False,
) -> ActorCount:
    used = [node for node in nodes if node.num_cpus > 0]
    free = " + ".join(
        "unknown" if node.free_bytes is None else f"{node.free_bytes / 1e9:.1f} GB" for node in used
    )
    reason = (
        f"{number} actor{'' if number == 1 else 's'}, {why}: "
        f"{sum(node.num_cpus for node in used):g} cores, free memory {free or 'unknown'}, "
        f"an actor takes about {actor.describe()}"
    )
    return ActorCount(number, reason, is_short)
