"""Config of the actors that hold engines."""

from typing import Annotated

from pydantic import Field

from schemas.base import FrozenConfig, Was


class PoolConfig(FrozenConfig):
    """How many actors hold a copy of the engines, and what each takes of the machine."""

    num_actors: Annotated[int, Field(ge=1)] | None = None
    """None: one per group of GPUs, or one per core where there is no GPU (at most 8); one where
    a server elsewhere generates."""
    gpus_per_actor: Annotated[float, Field(ge=0)] | None = None
    """None: as many as the engine's tensor parallelism, 0 where there is no GPU."""
    cpus_per_actor: Annotated[float, Field(ge=0)] = 0.25
    """What Ray counts for an actor; the engine's threads are set by the engine."""
    units_in_flight: Annotated[int, Field(ge=1)] = 2
    """Units an actor works on at once, so that the end of one does not empty the batch."""
    max_restarts: Annotated[int, Field(ge=0)] = 3
    """How often in a row an actor may die before its engines are open; then it is given up."""
    max_task_retries: Annotated[int, Field(ge=0)] = 3
    """How often a unit whose actor died is redone, each time alone on an actor."""
    timeout_s: Annotated[float, Field(gt=0), Was("patience_s")] = 1800.0
    """How long a run waits while no actor is open: for room in the cluster, and for models."""
