"""Config of the actors that hold engines."""

from typing import Annotated

from pydantic import Field

from schemas.base import FrozenConfig, Was


class PoolConfig(FrozenConfig):
    """How many actors hold a copy of the engines, and which resources each takes."""

    num_actors: Annotated[int, Field(ge=0)] | None = None
    """None: one per group of GPUs; without a GPU one per core, at most 8 and as many as fit into
    the free memory. No actor, and no Ray, if every model is served elsewhere: its engine then runs
    in the process of the command. 0: the engines run there in any case, which saves the start of
    Ray and of an actor; an engine that crashes then ends the run."""
    gpus_per_actor: Annotated[float, Field(ge=0)] | None = None
    """None: the engine's tensor parallelism, or 0 without a GPU."""
    cpus_per_actor: Annotated[float, Field(ge=0)] = 0.25
    """What Ray reserves for an actor; the engine sets its own number of threads."""
    units_in_flight: Annotated[int, Field(ge=1)] = 2
    """Units that an actor runs concurrently, so that the end of one does not empty the batch."""
    max_restarts: Annotated[int, Field(ge=0)] = 3
    """How often in a row an actor may die before its engines are open; after that it is given
    up."""
    max_task_retries: Annotated[int, Field(ge=0)] = 3
    """How often a unit whose actor died is retried, each time alone on an actor."""
    timeout_s: Annotated[float, Field(gt=0), Was("patience_s")] = 1800.0
    """Seconds that a run waits while no actor is open, for room in the cluster and for models."""
