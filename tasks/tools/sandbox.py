"""The runner of a solution's programs: the sandbox, in threads of its own."""

import asyncio
import math

from schemas.tools import ToolsConfig
from tasks.sandbox import Limits, run_python, sandbox_fault
from tasks.tools.programs import ProgramRun, RunProgram

_OUTPUT_BYTES = 1 << 18
_DEADLINES = 3
"""Seconds of a run for each second that its program may compute, since machines are busy."""


def sandbox_runner(config: ToolsConfig) -> RunProgram:
    """Runs Python texts in the sandbox under the limits of a config."""
    limits = Limits(
        cpu_s=max(1, math.ceil(config.timeout_s)),
        wall_s=_DEADLINES * config.timeout_s,
        memory_mb=config.memory_mb,
        output_bytes=_OUTPUT_BYTES,
    )

    async def run(source: str) -> ProgramRun:
        if (fault := await asyncio.to_thread(sandbox_fault)) is not None:
            return ProgramRun(fault=fault)
        ended = await asyncio.to_thread(run_python, source, limits=limits)
        stderr = ended.stderr.decode(errors="replace")
        if ended.outcome == "sandbox_down":
            return ProgramRun(fault=stderr.strip() or "the sandbox did not start")
        return ProgramRun(
            stdout=ended.stdout.decode(errors="replace"), stderr=stderr, outcome=ended.outcome
        )

    return run
