"""Score every step of stored trajectories: `step_scores` rows, one per trajectory.

Reads one trajectories file and the run's problems. Solutions of a problem with equal text, if
all are whole or all cut, are read once, and the tokens are charged to the first. A trajectory that
cannot be scored (no step, too long for the verifier) becomes a row with an error and no scores.
"""

import asyncio

from schemas.engines import ScoringRequest, StepScoring
from schemas.errors import RequestRejected
from schemas.rows import Problem, StepScores, Trajectory
from schemas.scoring import ScoringJob
from schemas.units import Unit
from tasks.engines.base import Engine
from tasks.engines.host import UnitContext
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.steps.token_ids import step_ids


async def score_trajectories(unit: Unit, job: ScoringJob, context: UnitContext) -> list[StepScores]:
    """Scores of each trajectory of the unit, in order."""
    trajectories: list[Trajectory] = await context.read(unit.inputs[0], unit.rows)
    problems = {p.problem_id: p for path in unit.inputs[1:] for p in await context.read(path)}
    prompt_format = make_prompt_format(job.prompt, job.policy)
    engine = context.engine("verifier")
    first_of: dict[tuple[str, str, bool], Trajectory] = {}
    for trajectory in trajectories:
        first_of.setdefault(_key(trajectory), trajectory)

    async def score(trajectory: Trajectory) -> StepScoring | str:
        scoring = await score_one(
            problems[trajectory.problem_id], trajectory, engine, prompt_format
        )
        context.counters.rows += 1
        if not isinstance(scoring, str):
            context.counters.scored_tokens += scoring.scored_tokens
            context.counters.generated_tokens += scoring.generated_tokens
        return scoring

    scorings = await asyncio.gather(*(score(t) for t in first_of.values()))
    found = dict(zip(first_of, scorings, strict=True))
    rows = []
    for trajectory in trajectories:
        key = _key(trajectory)
        is_first = first_of[key] is trajectory
        context.counters.rows += 0 if is_first else 1
        rows.append(_row(trajectory, found[key], engine.model_id, is_charged=is_first))
    return rows


async def score_one(
    problem: Problem, trajectory: Trajectory, engine: Engine, prompt_format: PromptFormat
) -> StepScoring | str:
    """The scores of one trajectory's steps, or why they are missing."""
    if not trajectory.steps:
        return trajectory.error or "the trajectory has no steps"
    request = ScoringRequest(
        prompt=prompt_format.ask(problem.question),
        question=problem.question,
        steps=tuple(step.text for step in trajectory.steps),
        step_ids=step_ids(trajectory),
        vocabulary=trajectory.vocabulary,
        has_chat_template=prompt_format.has_chat_template,
        is_whole=_is_whole(trajectory),
    )
    try:
        return await engine.score(request)
    except RequestRejected as rejection:
        return str(rejection)


def _key(trajectory: Trajectory) -> tuple[str, str, bool]:
    """What trajectories have in common that are read only once."""
    return trajectory.problem_id, trajectory.text, _is_whole(trajectory)


def _is_whole(trajectory: Trajectory) -> bool:
    """Whether the policy ended it, not a limit."""
    return trajectory.status == "finished"


def _row(
    trajectory: Trajectory, scoring: StepScoring | str, verifier: str, *, is_charged: bool
) -> StepScores:
    if isinstance(scoring, str):
        return StepScores(
            trajectory_id=trajectory.trajectory_id,
            verifier=verifier,
            scores=(),
            scored_tokens=0,
            cached_tokens=0,
            error=scoring,
        )
    return StepScores(
        trajectory_id=trajectory.trajectory_id,
        verifier=verifier,
        scores=scoring.scores,
        scored_tokens=scoring.scored_tokens if is_charged else 0,
        cached_tokens=scoring.cached_tokens if is_charged else 0,
        generated_tokens=scoring.generated_tokens
        if is_charged and scoring.generated_tokens
        else None,
    )
