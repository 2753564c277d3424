"""Ray itself: started and stopped, and its errors as the project's own.

Everything of the engines that Ray raises passes through `fetch`, so a caller sees whether an actor
is gone (`EngineFailed`), all of Ray is (`EngineUnreachable`), or the actor's own code raised.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
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
_MAX_QUICK_FAILURES = 3
"""Attempts to start a Ray on this machine that fail at once."""
_SLOW_S = 10.0
"""An attempt that fails later than this waited for processes that were slow to appear, as they are
on a busy machine; Ray itself waits 30 s for each."""
_TIMEOUT_S = 1800.0
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

_log = logging.getLogger(__name__)
_starting = threading.Lock()


def start_ray(timeout_s: float = _TIMEOUT_S) -> None:
    """Connect to the cluster that RAY_ADDRESS names, or start a Ray on this machine.

    On a busy machine Ray's processes may be slow to appear, and it is tried again for `timeout_s`.

    The kernel ends Ray's processes with the thread that started them. So unless this is the main
    thread, they are started by a daemon thread that lives as long as the process.
    """
    with _starting:
        if ray.is_initialized():
            return
        if threading.current_thread() is threading.main_thread():
            _init_ray(timeout_s)
            return
        outcome: queue.Queue[BaseException | None] = queue.Queue()

        def start_and_stay() -> None:
            try:
                _init_ray(timeout_s)
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


def _init_ray(timeout_s: float) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address := os.environ.get("RAY_ADDRESS"):
        ray.init(address=address, **quiet)
        return
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    # "local": without it Ray would join whichever instance was last started on this machine.
    store = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    keep_trying(lambda: ray.init(address="local", **store, **quiet), timeout_s)


def keep_trying(start: Callable[[], object], timeout_s: float) -> None:
    """Start Ray; again while it fails slowly and time is left, or fails at once a few times.

    Args:
        start: starts it.
        timeout_s: how long it is tried.

    Raises:
        EngineUnreachable: it did not start; the message has the number of attempts and the load.
    """
    begun, num_attempts, num_quick = time.monotonic(), 0, 0
    while True:
        tried = time.monotonic()
        try:
            start()
            return
        except Exception as error:  # raised by Ray if its processes are slow to start
            ray.shutdown()
            passed = time.monotonic() - begun
            num_attempts += 1
            num_quick += time.monotonic() - tried < _SLOW_S
            words = (
                f"Ray did not start on this machine in {num_attempts} attempts and {passed:.0f} s "
                f"({load_words()}): {error}"
            )
            if num_quick >= _MAX_QUICK_FAILURES or passed >= timeout_s:
                raise EngineUnreachable(words) from error
            _log.warning("%s; trying again", words)


def load_words() -> str:
    """How busy this machine is, as in `load 23.1 on 2 cores`."""
    return f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores"
