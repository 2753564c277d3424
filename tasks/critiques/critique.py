"""Critique stored solutions: `critiques` rows, by default one per finished solution.

Reads one trajectories file, the run's problems, the later verdicts on the trajectories and, for a
critic that needs them, their step labels or further solutions. All critiques of a unit are in
flight at once. A critique that the engine refuses, such as one longer than the context, is a row
with status `error`.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

from schemas.critiques import (
    CheckerCriticConfig,
    CriticConfig,
    CritiquesJob,
    FixedCriticConfig,
    LabelsCriticConfig,
    ModelCriticConfig,
)
from schemas.rows import PROBLEMS, TRAJECTORIES, VERDICTS, Critique, Trajectory
from schemas.units import Unit
from tasks.critics.asking import ShownSolution
from tasks.critiques.critic import MakeCritic, inputs_of
from tasks.critiques.keys import find_keys
from tasks.critiques.model_critic import make_model_critic
from tasks.critiques.told_critics import (
    make_checker_critic,
    make_fixed_critic,
    make_labels_critic,
)
from tasks.engines.host import UnitContext
from tasks.graders.verdicts import apply_verdicts, outcome


async def critique_solutions(unit: Unit, job: CritiquesJob, context: UnitContext) -> list[Critique]:
    """Critiques of the chosen solutions of the unit, solution by solution."""
    verdicts = [v for p in inputs_of(unit, VERDICTS.name) for v in await context.read(p)]
    solutions = apply_verdicts(await context.read(unit.inputs[0], unit.rows), verdicts)
    files = inputs_of(unit, PROBLEMS.name)
    problems = {p.problem_id: p for path in files for p in await context.read(path)}
    further = [r for p in inputs_of(unit, TRAJECTORIES.name)[1:] for r in await context.read(p)]
    keys = find_keys(problems, solutions, job, apply_verdicts(further, verdicts))
    critic = await CRITICS[type(job.critic)](unit, job, context)

    async def critique(solution: Trajectory) -> list[Critique]:
        problem = problems[solution.problem_id]
        rows = await critic.critique(problem, solution, keys.get(solution.trajectory_id))
        context.counters.rows += len(rows)
        context.counters.generated_tokens += sum(row.generated_tokens for row in rows)
        return rows

    written = await asyncio.gather(*map(critique, choose_solutions(solutions, job)))
    return [row for rows in written for row in rows]


def choose_solutions(solutions: Sequence[Trajectory], job: CritiquesJob) -> list[Trajectory]:
    """The solutions that a job critiques, in order: finished ones with visible text."""
    chosen, num_of = [], Counter[str]()
    for row in solutions:
        if row.status != "finished" or not any(ShownSolution.of(row).steps):
            continue
        right = outcome(row.status, has_answer=row.answer is not None, correct=row.correct)
        if job.which != "all" and right is not (job.which == "right"):
            continue
        num_of[row.problem_id] += 1
        if job.max_per_problem is None or num_of[row.problem_id] <= job.max_per_problem:
            chosen.append(row)
    return chosen


CRITICS: dict[type[CriticConfig], MakeCritic] = {
    ModelCriticConfig: make_model_critic,
    CheckerCriticConfig: make_checker_critic,
    LabelsCriticConfig: make_labels_critic,
    FixedCriticConfig: make_fixed_critic,
}
"""What makes the critic of each config."""
