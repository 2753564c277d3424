"""A refiner's completions: a critique and then the correction of a solution, in one text (SCORE).

Reads one file of solutions and the run's problems. Every finished solution is refined, since what
would become of all is needed to choose which to refine. Rows are `trajectories` with the role
`refinement`; the answer is that of the correction. A completion without one is `pruned`.
"""

import asyncio
from dataclasses import replace

from schemas.rows import Problem, Trajectory, now
from schemas.score import CorrectingConfig
from schemas.units import Unit, derive_id, derive_seed
from tasks.critics.asking import ShownSolution, ask_critic
from tasks.critics.drawing import draw_answers
from tasks.critiques.refine import REFINEMENT
from tasks.engines.host import UnitContext
from tasks.graders import grade_all
from tasks.graders.verdicts import verdict
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import make_prompt_format
from tasks.steps.segmentation import measure_steps
from tasks.steps.token_ids import completion_columns

SCORE = "score"
"""Strategy of a refiner's completion."""
NO_CORRECTION = "it has no correction"
"""The reason of a completion that only criticises."""


async def correct_solutions(
    unit: Unit, config: CorrectingConfig, context: UnitContext
) -> list[Trajectory]:
    """A completion per finished solution, in order."""
    solutions: list[Trajectory] = await context.read(unit.inputs[0])
    problems = {p.problem_id: p for path in unit.inputs[1:] for p in await context.read(path)}
    wanted = [row for row in solutions if row.status == "finished"]
    scope = f"{unit.run_id}/{unit.stage}/{unit.name}"
    return list(
        await asyncio.gather(
            *(_correct(problems[r.problem_id], r, config, context, scope) for r in wanted)
        )
    )


async def _correct(
    problem: Problem,
    solution: Trajectory,
    config: CorrectingConfig,
    context: UnitContext,
    scope: str,
) -> Trajectory:
    engine, grader = context.engine("policy"), context.grader(config.grader)
    prompt_format = make_prompt_format(config.prompt, config.refiner)
    drawing = with_recommended(config.drawing, config.refiner)
    seed = derive_seed(config.seed, SCORE, solution.trajectory_id)
    drawn = await draw_answers(
        engine,
        prompt_format,
        ask_critic(config.format, problem.question, ShownSolution.of(solution)),
        drawing,
        num=1,
        max_tokens=drawing.max_tokens,
        seed=seed,
    )
    row = Trajectory(
        trajectory_id=derive_id(scope, solution.trajectory_id),
        problem_id=problem.problem_id,
        policy=engine.model_id,
        strategy=SCORE,
        role=REFINEMENT,
        sample_index=0,
        parent_id=solution.trajectory_id,
        branch_step=0,
        status="error",
        error=drawn.error(),
        steps=(),
        grader=grader.name,
        temperature=drawing.temperature,
        top_p=drawing.top_p,
        seed=seed,
        **drawn.cost(0),
        round=solution.round,
        engine=engine.name,
        created_at=now(),
    )
    context.counters.rows += 1
    context.counters.generated_tokens += row.generated_tokens
    completion = drawn.answer()
    if completion is None:
        return row
    steps = measure_steps(completion, prompt_format.step_rule)
    row = replace(
        row,
        status="finished" if completion.finish_reason == "stop" else "truncated",
        steps=steps,
        thinking_tokens=prompt_format.count_thinking(steps),
        **completion_columns(completion, engine.vocabulary),
    )
    (text,) = prompt_format.answers([completion.text])
    critique, joiner, correction = text.rpartition(config.joiner.strip())
    if not joiner or not critique.strip() or not correction.strip():
        return replace(row, status="pruned", reason=NO_CORRECTION)
    grade = verdict((await grade_all(grader, [correction], problem))[0], row.status, "solution")
    return replace(row, answer=grade.answer, correct=grade.correct, check_result=grade.check)
