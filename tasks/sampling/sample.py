"""Sample solutions and grade them: `trajectories` rows with strategy `sample`.

All problems of a unit are in flight at once; one problem is one request for N continuations.
Reads a range of a problems file. A request that cannot be served becomes N rows with status
`error`, so that a problem always has its N rows, and a single answer of a server that cannot be
used becomes one. A solution cut at the token limit without an
answer is ungraded (null), never wrong.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from schemas.engines import Completion, Generation, GenerationRequest
from schemas.errors import RequestRejected
from schemas.rows import Problem, Status, Trajectory, now
from schemas.sampling import SamplingJob
from schemas.units import Unit, derive_id, derive_seed
from tasks.engines.base import Engine
from tasks.engines.host import UnitContext
from tasks.graders import Grader, grade_all
from tasks.graders.verdicts import verdict
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.steps.outputs import output_columns
from tasks.steps.segmentation import measure_steps
from tasks.steps.stop_strings import end_at_stop
from tasks.steps.token_ids import changed_boundaries, completion_columns
from tasks.thinking.forcing import Drawn, draw
from tasks.tools.engine import with_tools

STRATEGY = "sample"


async def sample_problems(unit: Unit, job: SamplingJob, context: UnitContext) -> list[Trajectory]:
    """N solutions of each problem of the unit, in the order of the problems."""
    problems: Sequence[Problem] = await context.read(unit.inputs[0], unit.rows)
    job = job.model_copy(update={"sampling": with_recommended(job.sampling, job.policy)})
    prompt_format = make_prompt_format(job.prompt, job.policy)
    engine = with_tools(context.engine("policy"), job.prompt)
    grader = context.grader(job.grader)

    async def solve(problem: Problem) -> list[Trajectory]:
        rows = await sample_problem(
            problem, engine, grader, prompt_format, job, scope=_scope(unit, job, engine.model_id)
        )
        context.counters.rows += len(rows)
        context.counters.generated_tokens += sum(row.generated_tokens for row in rows)
        return rows

    solved = await asyncio.gather(*(solve(problem) for problem in problems))
    return [row for rows in solved for row in rows]


async def sample_problem(
    problem: Problem,
    engine: Engine,
    grader: Grader,
    prompt_format: PromptFormat,
    job: SamplingJob,
    *,
    scope: str,
) -> list[Trajectory]:
    """N graded solutions of one problem; ids are unique within `scope`."""
    config = job.sampling
    seed = sampling_seed(job, problem)
    stop = prompt_format.ends(config.stop)
    request = GenerationRequest(
        prompt=prompt_format.ask(problem.question),
        n=config.num_samples,
        **config.request_fields(),
        max_tokens=config.max_tokens,
        stop=stop,
        needs_stop_string=False,
        seed=seed,
        with_logprobs=config.with_logprobs,
        has_chat_template=prompt_format.has_chat_template,
        thought_tags=prompt_format.thought_tags,
        takes_errors=True,
    )
    error: str | None = None
    generation = Generation(completions=(), prompt_tokens=0, cached_tokens=0)
    drawn: Sequence[Drawn] = ()
    try:
        generation, drawn = await draw(engine, request, job.prompt.thinking, prompt_format.thoughts)
    except RequestRejected as rejection:
        error = str(rejection)
    drawn = [replace(each, completion=end_at_stop(each.completion, stop)) for each in drawn]
    texts = prompt_format.answers(each.completion.text for each in drawn)
    grades = await grade_all(grader, texts, problem)
    rows = []
    for index in range(config.num_samples):
        one = drawn[index] if error is None else None
        completion = one and one.completion
        steps = measure_steps(completion, prompt_format.step_rule) if completion else ()
        status = _status(completion)
        grade = verdict(grades[index] if status != "error" else None, status, "solution")
        row = Trajectory(
            trajectory_id=derive_id(scope, job.set_name, problem.problem_id, seed, index),
            problem_id=problem.problem_id,
            policy=engine.model_id,
            strategy=STRATEGY,
            sample_index=index,
            status=status,
            error=error or (completion and completion.error),
            steps=steps,
            answer=grade.answer,
            correct=grade.correct,
            check_result=grade.check,
            grader=grader.name,
            temperature=config.temperature,
            top_p=config.top_p,
            seed=seed + index,
            prompt_tokens=(generation.prompt_tokens if index == 0 else 0)
            + (one.prompt_tokens if one else 0),
            cached_tokens=(generation.cached_tokens if index == 0 else 0)
            + (one.cached_tokens if one else 0),
            generated_tokens=one.num_generated if one else 0,
            thinking_tokens=prompt_format.count_thinking(steps) if completion else None,
            reason=one and one.reason,
            round=job.round,
            engine=engine.name,
            created_at=now(),
            **completion_columns(completion, engine.vocabulary),
            **output_columns(completion, steps),
        )
        if index == 0:
            row = replace(row, changed_boundaries=changed_boundaries(row, engine.encode_text))
        rows.append(row)
    return rows


def sampling_seed(job: SamplingJob, problem: Problem) -> int:
    """The seed of a problem's first solution; solution i is drawn with this seed + i."""
    parts = () if job.round is None else (job.round,)
    return derive_seed(job.seed, job.set_name, problem.problem_id, *parts)


def _scope(unit: Unit, job: SamplingJob, policy: str) -> str:
    """Distinguishes a solution's id from those of other stages, and in a loop of other policies."""
    scope = f"{unit.run_id}/{unit.stage}"
    return scope if job.round is None else f"{scope}/{policy}"


def _status(completion: Completion | None) -> Status:
    if completion is None or completion.error is not None:
        return "error"
    return "finished" if completion.finish_reason == "stop" else "truncated"
