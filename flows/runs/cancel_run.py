"""Cancel a run from another process, by the Prefect server that both know.

The run's process looks there, or a worker does (`cancelling.py`), and ends.
"""

import time
from collections.abc import Sequence
from typing import Any

from schemas.errors import StepmillError

_LONGEST_S = 60.0
_LOOK_EVERY_S = 0.25
_OPEN = ("RUNNING", "PENDING", "PAUSED")


def cancel_run(root: str, run_id: str) -> None:
    """Tell all open flow runs of a run to end, and wait until they have.

    Args:
        root: the address of the store.
        run_id: the run.

    Raises:
        ValueError: no such run is open; the message has those that are.
        StepmillError: it does not end in time, as when its process was killed.
    """
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelling

    with get_client(sync_client=True) as client:
        there = _open_runs(client, root)
        found = [flow_run for name, flow_run in there if name == run_id]
        if not found:
            names = ", ".join(sorted({name for name, _ in there})) or "none"
            raise ValueError(f"expected a run of {root} that is running, got {run_id}: {names}")
        for flow_run in found:
            client.set_flow_run_state(flow_run.id, Cancelling())
        deadline = time.monotonic() + _LONGEST_S
        while not all(_has_ended(client, flow_run) for flow_run in found):
            if time.monotonic() > deadline:
                raise StepmillError(
                    f"{run_id} was told to end, and has not within {_LONGEST_S:.0f} s: if its "
                    "process was killed, the same run id resumes it"
                )
            time.sleep(_LOOK_EVERY_S)


def _open_runs(client: Any, root: str) -> Sequence[tuple[str, Any]]:
    """The id of each run of a store that is open, and its outermost flow run."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterParentTaskRunId,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    wanted = FlowRunFilter(
        state=FlowRunFilterState(
            type=FlowRunFilterStateType(any_=[StateType(name) for name in _OPEN])
        ),
        parent_task_run_id=FlowRunFilterParentTaskRunId(is_null_=True),
    )
    return [
        (_run_id_of(flow_run, client), flow_run)
        for flow_run in client.read_flow_runs(flow_run_filter=wanted)
        if flow_run.parameters.get("root") == root
    ]


def _run_id_of(flow_run: Any, client: Any) -> str:
    """The run's id; made as in `recording.prefect_run_id` if the flow run has none."""
    given = flow_run.parameters.get("run_id")
    if given is not None:
        return given
    start = flow_run.expected_start_time
    flow = client.read_flow(flow_run.flow_id).name
    return f"{flow}-{start:%Y%m%d-%H%M%S}-{str(flow_run.id)[-8:]}"


def _has_ended(client: Any, flow_run: Any) -> bool:
    state = client.read_flow_run(flow_run.id).state
    return state is not None and state.is_final()
