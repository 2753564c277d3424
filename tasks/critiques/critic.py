"""What every critic does: critiques of a solution, as rows."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from schemas.critiques import CritiquesJob
from schemas.rows import Critique, Problem, Trajectory
from schemas.units import Unit
from tasks.engines.host import UnitContext


class Critic(Protocol):
    """Writes critiques of stored solutions."""

    async def critique(
        self, problem: Problem, solution: Trajectory, key: str | None
    ) -> list[Critique]:
        """All critiques of one solution; `key` is what the critic is told, if anything."""
        ...


MakeCritic = Callable[[Unit, CritiquesJob, UnitContext], Awaitable[Critic]]
"""Makes the critic of a unit."""


def inputs_of(unit: Unit, table: str) -> list[str]:
    """The inputs of a unit that are files of a table."""
    return [path for path in unit.inputs if path.startswith(f"{table}/")]


def scope_of(unit: Unit) -> str:
    """Ids of a unit's rows are unique within it."""
    return f"{unit.run_id}/{unit.stage}/{unit.name}"
