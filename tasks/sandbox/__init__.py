"""Programs that nobody trusts, run by bubblewrap in namespaces of their own."""

from tasks.sandbox.bubblewrap import sandbox_fault
from tasks.sandbox.limits import Limits
from tasks.sandbox.run import (
    Finished,
    Outcome,
    Running,
    run_command,
    run_python,
    start,
    start_script,
)

__all__ = [
    "Finished",
    "Limits",
    "Outcome",
    "Running",
    "run_command",
    "run_python",
    "sandbox_fault",
    "start",
    "start_script",
]
