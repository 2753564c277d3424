"""Critique stored solutions: `critiques` rows, by default one per finished solution.

Reads one trajectories file, the run's problems, and the later verdicts on the trajectories. All
critiques of a unit are in flight at once. A critique that the engine refuses, such as one longer
than the context, is a row with status `error`.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.critiques import CritiquesJob
from schemas.rows import PROBLEMS, VERDICTS, Critique, Problem, Trajectory, now
from schemas.units import Unit, derive_id, derive_seed
from tasks.critics.asking import ShownSolution, ask_critic
from tasks.critics.drawing import DrawnAnswers, draw_answers
from tasks.critics.reading import CritiqueReading, leaks_answer, read_critique
from tasks.engines.base import Engine
from tasks.engines.host import UnitContext
from tasks.graders.verdicts import apply_verdicts, outcome
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.steps.token_ids import completion_columns


async def critique_solutions(unit: Unit, job: CritiquesJob, context: UnitContext) -> list[Critique]:
    """Critiques of the chosen solutions of the unit, solution by solution."""
    verdicts = [v for p in _of_table(unit, VERDICTS.name) for v in await context.read(p)]
    solutions = apply_verdicts(await context.read(unit.inputs[0], unit.rows), verdicts)
    files = _of_table(unit, PROBLEMS.name)
    problems = {p.problem_id: p for path in files for p in await context.read(path)}
    model = job.critic.engine or job.policy
    keys = _find_keys(problems, solutions, job)
    critic = _Critic(
        context.engine(job.critic_role),
        make_prompt_format(job.critic_prompt, model),
        job.with_fields(critiquing=with_recommended(job.critiquing, model)),
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


@dataclass(frozen=True, slots=True)
class _Critic:
    """A model that critiques solutions, and how it is asked."""

    engine: Engine
    prompt_format: PromptFormat
    job: CritiquesJob
    scope: str
    """Ids are unique within it."""

    async def critique(
        self, problem: Problem, solution: Trajectory, key: str | None
    ) -> list[Critique]:
        """All critiques of one solution; one row if the engine refuses."""
        job = self.job
        shown = ShownSolution.of(solution)
        seed = derive_seed(job.seed, "critique", solution.trajectory_id)
        drawn = await draw_answers(
            self.engine,
            self.prompt_format,
            ask_critic(job.format, problem.question, shown, key),
            job.critiquing,
            num=job.critiquing.num_critiques,
            max_tokens=job.critiquing.max_tokens,
            seed=seed,
        )
        return [
            self._row(problem, solution, shown, key, drawn, index, seed + index)
            for index in range(len(drawn.completions) or 1)
        ]

    def _row(
        self,
        problem: Problem,
        solution: Trajectory,
        shown: ShownSolution,
        key: str | None,
        drawn: DrawnAnswers,
        index: int,
        seed: int,
    ) -> Critique:
        completion = drawn.completions[index] if drawn.completions else None
        text = completion.text if completion else ""
        answer = self.prompt_format.answers([text])[0]
        reading = CritiqueReading((), None, drawn.error)
        if completion is not None:
            reading = read_critique(answer, len(shown.steps), self.job.format)
        is_cut = completion is not None and completion.finish_reason == "length"
        first_error = reading.first_error
        return Critique(
            critique_id=derive_id(self.scope, solution.trajectory_id, index),
            trajectory_id=solution.trajectory_id,
            problem_id=problem.problem_id,
            critic=self.engine.model_id,
            told="nothing" if key is None else self.job.critic.told,
            sample_index=index,
            status="error" if completion is None else "truncated" if is_cut else "finished",
            fault="it was cut at its token limit" if is_cut else reading.fault,
            text=text,
            steps=reading.steps,
            first_error=None if first_error is None else first_error + shown.num_hidden,
            verdict=reading.verdict,
            leaks=leaks_answer(answer, problem.answer or "", problem.question, *shown.steps),
            temperature=self.job.critiquing.temperature,
            seed=seed,
            **drawn.cost(index),
            **completion_columns(completion, self.engine.vocabulary),
            round=solution.round,
            engine=self.engine.name,
            created_at=now(),
        )
