"""Second attempts at critiqued solutions: `trajectories` rows with the role `refinement`.

Reads one file of critiques, the file of solutions that they are about, and the run's problems. Each
critique with text behind its thoughts is given to the actor together with its solution, whatever
its faults: at test time nothing is filtered. Retries without a critique are the control.
"""

import asyncio

from schemas.critiques import CritiquesJob
from schemas.rows import Critique, Problem, Status, Trajectory, now
from schemas.units import Unit, derive_id, derive_seed
from tasks.critics.asking import ShownSolution, ask_actor
from tasks.critics.drawing import draw_answers
from tasks.critics.rows import spoken
from tasks.critiques.critic import scope_of
from tasks.engines.host import UnitContext
from tasks.graders import Grader, grade_all
from tasks.graders.verdicts import verdict
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.steps.segmentation import measure_steps
from tasks.steps.token_ids import completion_columns

REFINEMENT = "refinement"
"""Strategy of a second attempt with a critique; its role as well."""
RETRY = "retry"
"""Strategy of a second attempt without a critique."""


async def refine_solutions(unit: Unit, job: CritiquesJob, context: UnitContext) -> list[Trajectory]:
    """Second attempts, critique by critique, then retries, solution by solution."""
    critiques: list[Critique] = await context.read(unit.inputs[0])
    solutions = {t.trajectory_id: t for t in await context.read(unit.inputs[1])}
    problems = {p.problem_id: p for path in unit.inputs[2:] for p in await context.read(path)}
    actor = _Actor(unit, job, context)

    async def attempt(solution: Trajectory, critique: Critique | None) -> list[Trajectory]:
        rows = await actor.attempt(problems[solution.problem_id], solution, critique)
        context.counters.rows += len(rows)
        context.counters.generated_tokens += sum(row.generated_tokens for row in rows)
        return rows

    asked: list[tuple[Trajectory, Critique | None]] = []
    if job.refining.num_refinements:
        asked += [(solutions[c.trajectory_id], c) for c in critiques if actor.read(c).strip()]
    if job.refining.num_retries:
        critiqued = dict.fromkeys(c.trajectory_id for c in critiques)
        asked += [(solutions[trajectory_id], None) for trajectory_id in critiqued]
    written = await asyncio.gather(*(attempt(*each) for each in asked))
    return [row for rows in written for row in rows]


class _Actor:
    """The model that tries again, and how it is asked."""

    def __init__(self, unit: Unit, job: CritiquesJob, context: UnitContext) -> None:
        self.engine = context.engine("policy")
        self.prompt_format: PromptFormat = make_prompt_format(job.prompt, job.policy)
        model = job.critic.engine or job.policy
        self.critic_format = make_prompt_format(job.critic_prompt, model)
        self.grader: Grader = context.grader(job.grader)
        self.job = job
        self.config = with_recommended(job.refining, job.policy)
        self.scope = scope_of(unit)

    def read(self, critique: Critique) -> str:
        """What the actor reads of a critique."""
        return spoken(critique, self.critic_format)

    async def attempt(
        self, problem: Problem, solution: Trajectory, critique: Critique | None
    ) -> list[Trajectory]:
        """Every second attempt with one critique, or without; one row if the engine refuses."""
        said, num, strategy = None, self.config.num_retries, RETRY
        about = solution.trajectory_id
        if critique is not None:
            said = self.read(critique)
            num, strategy = self.config.num_refinements, REFINEMENT
            about = critique.critique_id
        shown = ShownSolution.of(solution)
        seed = derive_seed(self.job.seed, strategy, about)
        drawn = await draw_answers(
            self.engine,
            self.prompt_format,
            ask_actor(self.job.format, problem.question, shown, said),
            self.config,
            num=num,
            max_tokens=self.config.max_tokens,
            seed=seed,
        )
        texts = self.prompt_format.answers(each.text for each in drawn.completions)
        grades = await grade_all(self.grader, texts, problem)
        rows = []
        for index in range(drawn.num_rows):
            completion = drawn.answer(index)
            steps = measure_steps(completion, self.prompt_format.step_rule) if completion else ()
            status: Status = "error"
            if completion is not None:
                status = "finished" if completion.finish_reason == "stop" else "truncated"
            grade = verdict(grades[index] if completion else None, status, "solution")
            rows.append(
                Trajectory(
                    trajectory_id=derive_id(self.scope, about, strategy, index),
                    problem_id=problem.problem_id,
                    policy=self.engine.model_id,
                    strategy=strategy,
                    role=REFINEMENT,
                    sample_index=index,
                    parent_id=solution.trajectory_id,
                    branch_step=0,
                    critique_id=None if critique is None else critique.critique_id,
                    status=status,
                    error=drawn.error(index),
                    steps=steps,
                    answer=grade.answer,
                    correct=grade.correct,
                    check_result=grade.check,
                    grader=self.grader.name,
                    temperature=self.config.temperature,
                    top_p=self.config.top_p,
                    seed=seed + index,
                    **drawn.cost(index),
                    thinking_tokens=self.prompt_format.count_thinking(steps)
                    if completion
                    else None,
                    round=solution.round,
                    engine=self.engine.name,
                    created_at=now(),
                    **completion_columns(completion, self.engine.vocabulary),
                )
            )
        return rows
