"""Which errors are infrastructure faults, worth another try, and which are a unit's own.

An infrastructure fault (an engine or actor that died, a full disk, a store or server that does not
answer) says nothing about the unit: its task is retried with growing pauses, and if that does not
help, the run stops and can be resumed. Requests to a server have retries of their own; once those
are used up the task is not retried, and the run stops when the units in progress have ended. Any
other error would recur: the unit is quarantined with it, and the run continues without the unit.
"""

from typing import Any

from schemas.errors import EngineFailed, EngineUnreachable, StoreUnreachable

RETRIES = 3
RETRY_DELAYS_S = [2.0, 8.0, 30.0]
"""Pauses before the first, second and third retry."""


def is_infrastructure_fault(error: BaseException) -> bool:
    """Whether an error says nothing about the unit that met it."""
    # A missing file is the unit's: its input was removed. Other OSErrors are disk and network.
    if isinstance(error, FileNotFoundError):
        return False
    return isinstance(error, EngineFailed | StoreUnreachable | OSError)


def is_worth_retrying(task: object, task_run: object, state: Any) -> bool:
    """Whether Prefect should retry a failed task (its `retry_condition_fn`)."""
    error = state.result(raise_on_failure=False)
    if not isinstance(error, BaseException) or isinstance(error, EngineUnreachable):
        return False  # the engine has already retried for as long as its config allows
    return is_infrastructure_fault(error)
