"""Critique stored solutions: `critiques` rows, by default one per finished solution.

Reads one trajectories file, the run's problems, and the later verdicts on the trajectories. All
critiques of a unit are in flight at once. A critique that the engine refuses, such as one longer
than the context, is a row with status `error`.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from schemas.critiques import CritiquesJob
from schemas.rows import PROBLEMS, VERDICTS, Critique, Problem, Trajectory
from schemas.units import Unit
from tasks.critics.asking import ShownSolution
from tasks.critics.critic import Critic
from tasks.engines.host import UnitContext
from tasks.graders.verdicts import apply_verdicts, outcome
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import make_prompt_format


async def critique_solutions(unit: Unit, job: CritiquesJob, context: UnitContext) -> list[Critique]:
    """Critiques of the chosen solutions of the unit, solution by solution."""
    verdicts = [v for p in _of_table(unit, VERDICTS.name) for v in await context.read(p)]
    solutions = apply_verdicts(await context.read(unit.inputs[0], unit.rows), verdicts)
    files = _of_table(unit, PROBLEMS.name)
    problems = {p.problem_id: p for path in files for p in await context.read(path)}
    model = job.critic.engine or job.policy
    keys = _find_keys(problems, solutions, job)
    critiquing = with_recommended(job.critiquing, model)
    critic = Critic(
        context.engine(job.critic_role),
        make_prompt_format(job.critic_prompt, model),
        job.format,
        critiquing,
        num_critiques=critiquing.num_critiques,
        max_tokens=critiquing.max_tokens,
        told=job.critic.told,
        seed=job.seed,
        scope=f"{unit.run_id}/{unit.stage}/{unit.name}",
    )

    async def critique(solution: Trajectory) -> list[Critique]:
        problem = problems[solution.problem_id]
        rows = await critic.critique(problem, solution, keys.get(problem.problem_id))
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


def _find_keys(
    problems: Mapping[str, Problem], solutions: Sequence[Trajectory], job: CritiquesJob
) -> dict[str, str]:
    """What the critic is told of each problem, where it is known."""
    if job.critic.told == "nothing":
        return {}
    if job.critic.told == "answer":
        return {p.problem_id: f"Answer: {p.answer}" for p in problems.values()}
    keys = {p.problem_id: p.solution for p in problems.values() if p.solution}
    for row in solutions:
        if row.correct and row.status == "finished":
            keys.setdefault(row.problem_id, "\n".join(ShownSolution.of(row).steps))
    return keys


def _of_table(unit: Unit, table: str) -> list[str]:
    """The inputs that are files of a table."""
    return [path for path in unit.inputs if path.startswith(f"{table}/")]
