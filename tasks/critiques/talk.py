"""Self-talk: solutions, their critiques and revisions as one text: rows of the role `self_talk`.

Reads a file of solutions with the critiques and revisions of every round. A solution becomes up to
three rows, each with the type of every step in `segments`:

* `chain`: steps, critiques and revised steps in the order in which they were thought of;
* `monologue`: the chain as a voice says it, if the job has one;
* `correction`: the attempts as wholes, each followed by a bare verdict, for comparison.

Whatever cannot be learned from is a row with the status `pruned` or `truncated` and a reason: a
chain whose critic went wrong or that has an error left, a monologue that changed the answer.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from schemas.engines import Completion
from schemas.rows import Critique, Problem, Status, Step, Trajectory, now
from schemas.self_talk import ModelVoiceConfig, SelfTalkJob, WorldVoiceConfig
from schemas.units import Unit, derive_id, derive_seed
from tasks.critics.drawing import DrawnAnswers, draw_answers
from tasks.critiques.chains import (
    Segment,
    Turn,
    why_unfinished,
    write_chain,
    write_correction,
)
from tasks.critiques.revise import finds_error
from tasks.critiques.voices import choose_voice, quote
from tasks.engines.base import Engine
from tasks.engines.host import UnitContext
from tasks.graders import Grader, grade_all
from tasks.graders.verdicts import verdict
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.prompts.messages import user
from tasks.prompts.render import render
from tasks.steps.segmentation import measure_steps
from tasks.steps.token_ids import completion_columns

CHAIN, MONOLOGUE, CORRECTION = "chain", "monologue", "correction"
"""Strategies of self-talk."""
SELF_TALK = "self_talk"
"""The role of all of them."""
CHANGED = "its answer is not that of the chain"
"""Why a monologue cannot be learned from."""


async def write_talks(unit: Unit, job: SelfTalkJob, context: UnitContext) -> list[Trajectory]:
    """The talks of a unit's solutions, solution by solution.

    The inputs of the unit are the file of the problems, the file of solutions, and then by turns a
    file of critiques and one of revisions.
    """
    problems = {p.problem_id: p for p in await context.read(unit.inputs[0])}
    critiques = [c for path in unit.inputs[2::2] for c in await context.read(path)]
    rows = [t for path in unit.inputs[1::2] for t in await context.read(path)]
    writer = _Writer(unit, job, context)

    async def write(turns: Sequence[Turn]) -> list[Trajectory]:
        written = await writer.write(problems[turns[0].solution.problem_id], turns)
        context.counters.rows += len(written)
        context.counters.generated_tokens += sum(row.generated_tokens for row in written)
        return written

    talks = await asyncio.gather(*map(write, collect_turns(rows, critiques)))
    return [row for written in talks for row in written]


def collect_turns(rows: Sequence[Trajectory], critiques: Iterable[Critique]) -> list[list[Turn]]:
    """The turns of each critiqued solution, in the order of the solutions."""
    by_solution = {critique.trajectory_id: critique for critique in critiques}
    by_critique = {row.critique_id: row for row in rows if row.critique_id is not None}
    collected = []
    for row in rows:
        if row.parent_id is not None or row.trajectory_id not in by_solution:
            continue
        turns: list[Turn] = []
        solution: Trajectory | None = row
        while solution is not None:
            critique = by_solution.get(solution.trajectory_id)
            turns.append(Turn(solution, critique))
            goes_on = critique is not None and finds_error(critique)
            solution = by_critique.get(critique.critique_id) if critique and goes_on else None
        collected.append(turns)
    return collected


class _Writer:
    """Writes the talks of solutions, and has a model rewrite them if the job says so."""

    def __init__(self, unit: Unit, job: SelfTalkJob, context: UnitContext) -> None:
        self.job = job
        self.grader: Grader = context.grader(job.grader)
        self.scope = f"{unit.run_id}/{unit.stage}/{unit.name}"
        self.separator = job.prompt.separator
        self.say, self.words = choose_voice(job)
        self.annotator: _Annotator | None = None
        if isinstance(job.voice, ModelVoiceConfig):
            model = job.voice.engine or job.policy
            prompt_format = make_prompt_format(job.voice.prompt, model)
            self.annotator = _Annotator(
                context.engine(job.voice_role), prompt_format, job.voice, model=model
            )

    async def write(self, problem: Problem, turns: Sequence[Turn]) -> list[Trajectory]:
        """The chain, its monologue and the correction; the first alone where it has no end."""
        if (reason := why_unfinished(turns, self.job.max_rounds)) is not None:
            return [replace(self._row(turns, CHAIN, ()), status="pruned", reason=reason)]
        chain = await self._graded(problem, self._row(turns, CHAIN, write_chain(turns, quote)))
        rows = [chain]
        if isinstance(self.job.voice, WorldVoiceConfig):
            rows.append(await self._say_in_world(problem, turns, chain))
        elif self.annotator is not None:
            rows.append(await self._rewrite(problem, turns, chain))
        corrected = self._row(turns, CORRECTION, write_correction(turns, self.words))
        return [*rows, await self._graded(problem, corrected)]

    async def _say_in_world(
        self, problem: Problem, turns: Sequence[Turn], chain: Trajectory
    ) -> Trajectory:
        try:
            segments = write_chain(turns, self.say)
        except ValueError as error:
            row = self._row(turns, MONOLOGUE, (), chain)
            return replace(row, status="pruned", reason=str(error))
        row = await self._graded(problem, self._row(turns, MONOLOGUE, segments, chain))
        return self._keep_same(row, chain)

    async def _rewrite(
        self, problem: Problem, turns: Sequence[Turn], chain: Trajectory
    ) -> Trajectory:
        assert self.annotator is not None
        seed = derive_seed(self.job.seed, MONOLOGUE, chain.trajectory_id)
        drawn = await self.annotator.rewrite(problem.question, chain.text, seed)
        row = replace(
            self._row(turns, MONOLOGUE, (), chain),
            policy=self.annotator.engine.model_id,
            seed=seed,
            temperature=self.annotator.config.temperature,
            top_p=self.annotator.config.top_p,
            engine=self.annotator.engine.name,
            error=drawn.error(),
            **drawn.cost(0),
        )
        written = drawn.answer()
        if written is None:
            return replace(row, status="error")
        completion = self.annotator.answer(written)
        status: Status = "finished" if completion.finish_reason == "stop" else "truncated"
        row = replace(
            row,
            status=status,
            steps=measure_steps(completion, self.job.prompt.step_rule),
            **completion_columns(completion, self.annotator.engine.vocabulary),
            segments=None,
        )
        return self._keep_same(await self._graded(problem, row), chain)

    def _keep_same(self, row: Trajectory, chain: Trajectory) -> Trajectory:
        """The row, pruned if its answer is not that of the chain by the grader's comparison."""
        if row.status != "finished":
            return row
        if row.answer is not None and chain.answer is not None:
            if self.grader.same(row.answer, chain.answer):
                return row
        elif row.answer is chain.answer and row.correct == chain.correct:
            return row
        return replace(row, status="pruned", reason=CHANGED)

    def _row(
        self,
        turns: Sequence[Turn],
        strategy: str,
        segments: Sequence[Segment],
        parent: Trajectory | None = None,
    ) -> Trajectory:
        first, last = turns[0].solution, turns[-1].solution
        parent_id = last.trajectory_id if parent is None else parent.trajectory_id
        ends = [self.separator] * (len(segments) - 1) + [""]
        return Trajectory(
            trajectory_id=derive_id(self.scope, first.trajectory_id, strategy),
            problem_id=first.problem_id,
            policy=first.policy,
            strategy=strategy,
            role=SELF_TALK,
            sample_index=len(turns) - 1,
            parent_id=parent_id,
            branch_step=0,
            status="finished",
            steps=tuple(
                Step(text=segment.text + end, num_tokens=0)
                for segment, end in zip(segments, ends, strict=False)
            ),
            segments=tuple(segment.type for segment in segments) or None,
            grader=self.grader.name,
            temperature=first.temperature,
            top_p=first.top_p,
            seed=first.seed,
            prompt_tokens=0,
            cached_tokens=0,
            generated_tokens=0,
            round=first.round,
            engine=first.engine,
            created_at=now(),
        )

    async def _graded(self, problem: Problem, row: Trajectory) -> Trajectory:
        (judged,) = await grade_all(self.grader, [row.text], problem)
        grade = verdict(judged, row.status, "solution")
        return replace(row, answer=grade.answer, correct=grade.correct, check_result=grade.check)


class _Annotator:
    """The model that rewrites chains in the first person."""

    def __init__(
        self, engine: Engine, prompt_format: PromptFormat, voice: ModelVoiceConfig, *, model: object
    ) -> None:
        self.engine, self.prompt_format, self.voice = engine, prompt_format, voice
        self.config = with_recommended(voice.rewriting, model)  # type: ignore[arg-type]

    async def rewrite(self, question: str, chain: str, seed: int) -> DrawnAnswers:
        """The chain as a monologue."""
        asked = render(self.voice.template, question=question, chain=chain)
        return await draw_answers(
            self.engine,
            self.prompt_format,
            [user(asked)],
            self.config,
            num=1,
            max_tokens=self.config.max_tokens,
            seed=seed,
        )

    def answer(self, completion: Completion) -> Completion:
        """The completion; without its thought, and then without its tokens, if it has one."""
        (text,) = self.prompt_format.answers([completion.text])
        if text == completion.text:
            return completion
        return replace(completion, text=text, token_texts=None)
