"""Solutions that go on from before a wrong step: `trajectories` rows with the role `revision`.

Reads one file of critiques, the file of solutions that they are about, and the run's problems. A
critique without fault that finds an error leads to one row: the steps before the wrong one, as they
were sampled, and what the actor writes after them. The row has the whole text, and is charged for
what is new in it.
"""

import asyncio
from collections.abc import Sequence

from schemas.critiques import CritiquesJob
from schemas.rows import Critique, Problem, Status, Step, Trajectory, now
from schemas.self_talk import SelfTalkJob
from schemas.units import Unit, derive_id, derive_seed
from tasks.critics.asking import ShownSolution, ask_actor
from tasks.critics.drawing import DrawnAnswers, draw_answers
from tasks.critics.rows import spoken
from tasks.engines.host import UnitContext
from tasks.graders import Grader, grade_all
from tasks.graders.verdicts import verdict
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.prompts.messages import Message, user
from tasks.steps.segmentation import measure_steps
from tasks.steps.token_ids import completion_columns, prefix_ids, token_columns

REVISION = "revision"
"""Strategy and role of a solution that goes on from before a wrong step."""
COPIED = "it repeats the solution"
"""The reason of a revision with the text that the critique found wrong."""


def finds_error(critique: Critique) -> bool:
    """Whether an actor can go on from before the step that a critique finds wrong."""
    is_whole = critique.status == "finished" and critique.fault is None
    return is_whole and critique.first_error is not None


async def revise_solutions(unit: Unit, job: SelfTalkJob, context: UnitContext) -> list[Trajectory]:
    """A revision for each critique that finds an error, in order."""
    critiques: list[Critique] = await context.read(unit.inputs[0])
    solutions = {t.trajectory_id: t for t in await context.read(unit.inputs[1])}
    problems = {p.problem_id: p for path in unit.inputs[2:] for p in await context.read(path)}
    reviser = _Reviser(unit, job, context)

    async def revise(critique: Critique) -> Trajectory:
        solution = solutions[critique.trajectory_id]
        row = await reviser.revise(problems[solution.problem_id], solution, critique)
        context.counters.rows += 1
        context.counters.generated_tokens += row.generated_tokens
        return row

    return list(await asyncio.gather(*(revise(c) for c in critiques if finds_error(c))))


class _Reviser:
    """The actor that goes on, and how it is asked."""

    def __init__(self, unit: Unit, job: SelfTalkJob, context: UnitContext) -> None:
        self.engine = context.engine("policy")
        self.prompt_format: PromptFormat = make_prompt_format(job.prompt, job.policy)
        self.critic_format = _critic_format(job)
        self.grader: Grader = context.grader(job.grader)
        self.job = job
        self.config = with_recommended(job.refining, job.policy)
        self.scope = f"{unit.run_id}/{unit.stage}/{unit.name}"

    async def revise(
        self, problem: Problem, solution: Trajectory, critique: Critique
    ) -> Trajectory:
        """The solution that goes on from before the first error of a critique."""
        assert critique.first_error is not None
        kept = solution.steps[: critique.first_error]
        prefix = "".join(step.text for step in kept)
        known = prefix_ids(solution, len(kept), self.engine.vocabulary)
        seed = derive_seed(self.job.seed, REVISION, critique.critique_id)
        drawn = await draw_answers(
            self.engine,
            self.prompt_format,
            self._messages(problem, solution, critique),
            self.config,
            num=1,
            max_tokens=self.config.max_tokens,
            seed=seed,
            prefix=prefix,
            prefix_ids=known,
        )
        return await self._row(problem, solution, critique, drawn, kept, known, seed)

    def _messages(
        self, problem: Problem, solution: Trajectory, critique: Critique
    ) -> list[Message]:
        if not self.job.shows_critique:
            return [user(problem.question)]
        said = spoken(critique, self.critic_format)
        shown = ShownSolution.of(solution)
        return ask_actor(self.job.format, problem.question, shown, said)

    async def _row(
        self,
        problem: Problem,
        solution: Trajectory,
        critique: Critique,
        drawn: DrawnAnswers,
        kept: Sequence[Step],
        known: tuple[int, ...] | None,
        seed: int,
    ) -> Trajectory:
        completion = drawn.answer()
        rule = self.prompt_format.step_rule.after(len(kept))
        steps = (*kept, *measure_steps(completion, rule)) if completion else ()
        text = "".join(step.text for step in steps)
        status: Status = "error"
        if completion is not None:
            status = "finished" if completion.finish_reason == "stop" else "truncated"
        (answer,) = self.prompt_format.answers([text])
        (judged,) = await grade_all(self.grader, [answer], problem)
        grade = verdict(judged if completion else None, status, "solution")
        columns = completion_columns(completion, self.engine.vocabulary)
        new_ids = columns["token_ids"]
        is_known = new_ids is not None and (known is not None or not kept)
        ids = (*(known or ()), *(new_ids or ())) if is_known else None
        return Trajectory(
            trajectory_id=derive_id(self.scope, critique.critique_id, REVISION),
            problem_id=problem.problem_id,
            policy=self.engine.model_id,
            strategy=REVISION,
            role=REVISION,
            sample_index=0,
            parent_id=solution.trajectory_id,
            branch_step=0,
            critique_id=critique.critique_id,
            error_step=critique.first_error,
            status=status,
            error=drawn.error(),
            reason=COPIED if completion and text.strip() == solution.text.strip() else None,
            steps=steps,
            answer=grade.answer,
            correct=grade.correct,
            check_result=grade.check,
            grader=self.grader.name,
            temperature=self.config.temperature,
            top_p=self.config.top_p,
            seed=seed,
            **drawn.cost(0),
            thinking_tokens=self.prompt_format.count_thinking(steps) if completion else None,
            round=solution.round,
            engine=self.engine.name,
            created_at=now(),
            **token_columns(ids, columns["vocabulary"]),
        )


def _critic_format(job: CritiquesJob) -> PromptFormat:
    """How the critic was prompted, by which its thoughts are left out."""
    return make_prompt_format(job.critic_prompt, job.critic.engine or job.policy)
