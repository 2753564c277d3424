"""What every critic does: critiques of a solution, as rows."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from schemas.critiques import CritiquesJob
from schemas.rows import Critique, Problem, Trajectory, now
from schemas.units import Unit, derive_id
from tasks.critics.asking import ShownSolution
from tasks.critics.reading import leaks_answer, read_critique
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


def read_row(
    text: str,
    problem: Problem,
    solution: Trajectory,
    job: CritiquesJob,
    *,
    unit: Unit,
    critic: str,
    engine: str,
    index: int = 0,
) -> Critique:
    """The row of a critique that no model wrote; what such a row does not have is 0.

    Args:
        text: the critique.
        problem: whose solution it is about.
        solution: the solution.
        job: says how critiques are written.
        unit: ids are unique within it.
        critic: the id of what wrote it.
        engine: the value of the `engine` column.
        index: among the critiques of the solution.
    """
    shown = ShownSolution.of(solution)
    reading = read_critique(text, len(shown.steps), job.format)
    first_error = reading.first_error
    scope = f"{unit.run_id}/{unit.stage}/{unit.name}"
    return Critique(
        critique_id=derive_id(scope, solution.trajectory_id, index),
        trajectory_id=solution.trajectory_id,
        problem_id=problem.problem_id,
        critic=critic,
        told="nothing",
        sample_index=index,
        status="finished",
        fault=reading.fault,
        text=text,
        steps=reading.steps,
        first_error=None if first_error is None else first_error + shown.num_hidden,
        verdict=reading.verdict,
        leaks=leaks_answer(text, problem.answer or "", problem.question, *shown.steps),
        temperature=0.0,
        seed=0,
        round=solution.round,
        engine=engine,
        created_at=now(),
    )
