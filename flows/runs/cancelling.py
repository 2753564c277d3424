"""How a run ends when it is told to: by Ctrl-C, by SIGTERM, or by *Cancel* in Prefect's UI.

Flows that are open are recorded as cancelled, in the store and by Prefect, and what was committed
stays. Prefect's worker ends the runs of deployments by SIGTERM itself. Nothing does that for a run
of the command line, so such a run asks the server whether it was cancelled.

Prefect's engine takes SIGTERM for a cancellation if its control listener was told so, and for a
crash otherwise. The listener is private, but the only way to say it; with a Prefect that has none,
the flow run is set to *Cancelled* afterwards.
"""

import contextlib
import importlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Literal
from uuid import UUID

from flows.runs.progress import say

STOP_AFTER_S = 5.0
"""What the run waits for may not be interruptible; after this time its process ends all the same.
"""
_LOOK_EVERY_S = 2.0

_open: dict[int, Callable[[], object]] = {}
"""What records an open flow as cancelled."""
_open_lock = threading.Lock()


class Cancellation:
    """Whether the run of this process was told to end."""

    def __init__(self, run_id: str) -> None:
        """Take SIGINT and SIGTERM for a cancellation of this run; only in the main thread."""
        self._run_id = run_id
        self._flow_run_id: UUID | None = None
        self._ended = threading.Event()
        self._told = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    @property
    def is_told(self) -> bool:
        """Whether the run was told to end."""
        return self._told.is_set()

    def watch(self, flow_run_id: UUID) -> None:
        """Look, from a thread, whether a flow run is cancelled in the UI; of the first one only."""
        if self._flow_run_id is None:
            self._flow_run_id = flow_run_id
            threading.Thread(target=self._look, name="cancelled?", daemon=True).start()

    def end_soon(self, why: str) -> None:
        """Say that the run ends, and end the process if it takes too long."""
        if self._told.is_set():
            return
        self._told.set()
        say(f"{why}: the same command with `--run-id {self._run_id}` resumes it")
        timer = threading.Timer(STOP_AFTER_S, self._end_now)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Watch no longer."""
        self._ended.set()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.end_soon("stopped")
        if signal.getsignal(signal.SIGTERM) == self._stop:  # no flow is running
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGTERM)

    def _look(self) -> None:
        from prefect.client.orchestration import get_client

        flow_run_id = self._flow_run_id
        assert flow_run_id is not None
        with contextlib.suppress(Exception), get_client(sync_client=True) as client:
            while not self._ended.wait(_LOOK_EVERY_S):
                with contextlib.suppress(Exception):  # a server that is gone is noticed elsewhere
                    state = client.read_flow_run(flow_run_id).state
                    if state is not None and state.is_cancelling() and not self._ended.is_set():
                        self.end_soon("cancelled in Prefect")
                        os.kill(os.getpid(), signal.SIGTERM)
                        return

    def _end_now(self) -> None:
        if self._ended.is_set():
            return
        with contextlib.suppress(Exception):
            record_open_flows()
        with contextlib.suppress(Exception):
            self.tell_prefect()
        os._exit(128 + signal.SIGINT)

    def tell_prefect(self) -> None:
        """Set the flow run that is watched to *Cancelled*."""
        from prefect.client.orchestration import get_client
        from prefect.states import Cancelled

        if self._flow_run_id is not None:
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(self._flow_run_id, Cancelled(), force=True)


_of_process: Cancellation | None = None


@contextlib.contextmanager
def cancellable(run_id: str) -> Iterator[Cancellation]:
    """Let the flow that the block runs be cancelled by a signal or in the UI.

    Raises:
        SystemExit: it was; with the exit code of an interrupted process.
    """
    global _of_process
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    found = _of_process = Cancellation(run_id)
    is_understood = _intend("cancel")
    try:
        yield found
    except Exception:
        raise
    except BaseException as error:
        found.end_soon("stopped")
        if not is_understood:
            with contextlib.suppress(Exception):
                found.tell_prefect()
        raise SystemExit(128 + signal.SIGINT) from error
    finally:
        found.close()
        _intend(None)
        _of_process = None
        for number, handler in before.items():
            signal.signal(number, handler)


def _intend(what: Literal["cancel"] | None) -> bool:
    """Say what a SIGTERM means to Prefect's engine, None for nothing; whether this Prefect asks."""
    try:
        listener = importlib.import_module("prefect._internal.control_listener")
        if what is None:
            listener._clear_intent()
        else:
            listener._set_intent(what)
    except (ImportError, AttributeError):
        return False
    return True


@contextlib.contextmanager
def open_flow(flow_run_id: str | None, record_cancelled: Callable[[], object]) -> Iterator[None]:
    """Note that a flow is open while the block runs.

    Args:
        flow_run_id: Prefect's id of it; None outside a flow run.
        record_cancelled: records it as cancelled, should the process end before the block does.
    """
    if _of_process is not None and flow_run_id is not None:
        _of_process.watch(UUID(flow_run_id))
    key = id(record_cancelled)
    with _open_lock:
        _open[key] = record_cancelled
    try:
        yield
    except Exception:
        raise
    except BaseException:
        if _of_process is not None:
            _of_process.end_soon("stopped")
        raise
    finally:
        with _open_lock:
            _open.pop(key, None)


def record_open_flows() -> None:
    """Record every open flow as cancelled."""
    with _open_lock:
        left = list(_open.values())
    for record in left:
        record()
