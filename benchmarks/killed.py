"""The command line `stepmill` with a sampling flow that also records every unit it starts.

A line `UNIT PROCESS` is appended to `<root>.begun` before a unit's work. It shows afterwards which
units an actor was working on when something was killed, and which were started again.
"""

import os
from collections.abc import Sequence

import tasks.sampling.task
from flows import cli
from flows.sampling import sample
from schemas.rows import Trajectory
from schemas.sampling import SamplingJob
from schemas.units import Unit
from tasks.engines.host import UnitContext
from tasks.sampling.sample import sample_problems

__all__ = ["note_and_sample", "sample"]


async def note_and_sample(
    unit: Unit, job: SamplingJob, context: UnitContext
) -> Sequence[Trajectory]:
    """Record that this process starts the unit, and do the sampling stage's work."""
    line = f"{unit.path} {os.getpid()}\n".encode()
    notes = os.open(f"{context.store.url}.begun", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(notes, line)
    os.close(notes)
    return await sample_problems(unit, job, context)


tasks.sampling.task.sample_problems = note_and_sample

if __name__ == "__main__":
    cli.main()
