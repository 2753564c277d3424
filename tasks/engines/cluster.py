"""Ray itself: started and stopped, and its errors as the project's own.

Everything of the engines that Ray raises passes through `fetch`, so a caller sees whether an actor
is gone (`EngineFailed`), all of Ray is (`EngineUnreachable`), or the actor's own code raised.
"""

import logging
import os
import queue
import threading
from typing import Any

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfDiskError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from schemas.errors import EngineFailed, EngineUnreachable

_OBJECT_STORE_BYTES = 256 * 1024**2
"""Only unit descriptions and receipts are stored in it."""
_MAX_STARTS = 3
"""Attempts to start a Ray on this machine; on a busy one its processes may be slow to appear."""
_LOOK_EVERY_S = 5.0

_LOST = (
    RayActorError,
    NodeDiedError,
    ObjectLostError,
    OutOfDiskError,
    OutOfMemoryError,
    WorkerCrashedError,
)
"""The errors that Ray raises when an actor, its node or its result is gone."""

_starting = threading.Lock()


def start_ray() -> None:
    """Connect to the cluster that RAY_ADDRESS names, or start a Ray on this machine.

    The kernel ends Ray's processes with the thread that started them. So unless this is the main
    thread, they are started by a daemon thread that lives as long as the process.
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


def stop_ray() -> None:
    """Disconnect, and stop a Ray that `start_ray` started."""
    ray.shutdown()


def fetch(call: Any) -> Any:
    """The result of an actor's call; an error raised in the actor is raised here unchanged.

    Raises:
        EngineUnreachable: Ray itself is gone.
        EngineFailed: the actor is dead or cannot be reached, or its engine is gone.
    """
    try:
        return ray.get(call)
    except RayTaskError as error:
        raise error.cause from error
    except _LOST as error:
        what = " ".join(str(error).partition("Some common causes")[0].split())
        raise EngineFailed(what) from error
    except RayError as error:
        raise EngineUnreachable(f"Ray does not answer: {error}") from error


def fetch_unless_all_dead(call: Any) -> Any:
    """As `fetch`, for an actor that waits for resources, which it never gets if all nodes are dead.

    Raises:
        EngineUnreachable: as `fetch`, or no node is left.
    """
    while not ray.wait([call], timeout=_LOOK_EVERY_S)[0]:
        if not any(node["Alive"] for node in ray.nodes()):
            raise EngineUnreachable("all nodes of the Ray cluster are dead")
    return fetch(call)


def _init_ray() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address := os.environ.get("RAY_ADDRESS"):
        ray.init(address=address, **quiet)
        return
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    # "local": without it Ray would join whichever instance was last started on this machine.
    store = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    for num_left in reversed(range(_MAX_STARTS)):
        try:
            ray.init(address="local", **store, **quiet)
            return
        except Exception as error:  # raised by Ray if its processes are slow to start
            ray.shutdown()
            if num_left == 0:
                raise EngineUnreachable(
                    f"Ray did not start on this machine in {_MAX_STARTS} attempts: {error}"
                ) from error
