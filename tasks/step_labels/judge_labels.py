"""Step labels by a judge: where do most of its critiques find the first error?

LLM-as-a-judge labels of Qwen2.5-Math-PRM (arXiv:2501.07301), and the majority of several critiques.
A critique that was cut or cannot be read has no vote. Every step after the first error is wrong.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

from schemas.rows import Critique, Problem, StepLabel, Trajectory
from schemas.step_labels import JudgeConfig, StepLabelsJob
from schemas.units import Unit
from tasks.critics.asking import ShownSolution
from tasks.critics.critic import ModelCritic
from tasks.engines.host import UnitContext
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import make_prompt_format


async def judge_unit(unit: Unit, job: StepLabelsJob, context: UnitContext) -> list[Critique]:
    """The judge's critiques of a unit's solutions; inputs are the solutions and the problems."""
    config = job.judge
    if config is None:
        raise ValueError(f"labels by {job.labels.type} need no judge")
    solutions: list[Trajectory] = await context.read(unit.inputs[0], unit.rows)
    problems: dict[str, Problem] = {
        problem.problem_id: problem for problem in await context.read(unit.inputs[1])
    }
    model = config.engine or job.completer
    drawing = with_recommended(config, model)
    critic = ModelCritic(
        context.engine(job.judge_role),
        make_prompt_format(config.prompt or job.prompt.for_other_tasks(), model),
        config.format,
        drawing,
        num_critiques=config.num_judgements,
        max_tokens=config.max_tokens,
        told=config.told,
        seed=job.seed,
        scope=f"{unit.run_id}/{unit.stage}/{unit.name}",
    )

    async def judge(solution: Trajectory) -> list[Critique]:
        problem = problems[solution.problem_id]
        key = None
        if config.told == "answer" and problem.answer:
            key = f"Answer: {problem.answer}"
        rows = await critic.critique(problem, solution, key)
        context.counters.rows += len(rows)
        context.counters.generated_tokens += sum(row.generated_tokens for row in rows)
        return rows

    shown = [row for row in solutions if any(ShownSolution.of(row).steps)]
    return [row for rows in await asyncio.gather(*map(judge, shown)) for row in rows]


def label_by_judge(
    trajectories: Sequence[Trajectory],
    critiques: Sequence[Critique],
    config: JudgeConfig,
    method: str | None = None,
) -> list[StepLabel]:
    """A label per step of every trajectory, in order; without a value where judgements disagree.

    Args:
        trajectories: the solutions to label.
        critiques: the judge's critiques of them; a solution may have none.
        config: how many there are to be.
        method: the value of the `method` column, if not that of the config.
    """
    votes: dict[str, list[int | None]] = {}
    judges = sorted({critique.critic for critique in critiques})
    for critique in critiques:
        if critique.fault is None and critique.status == "finished":
            votes.setdefault(critique.trajectory_id, []).append(critique.first_error)
    return [
        label
        for trajectory in trajectories
        for label in _label(
            trajectory,
            votes.get(trajectory.trajectory_id, []),
            method or config.method,
            judges[0] if judges else "judge",
        )
    ]


def majority(votes: Sequence[int | None]) -> tuple[bool, int | None]:
    """Whether more than half agree, and on which first error (None for a right solution)."""
    if not votes:
        return False, None
    first_error, num = Counter(votes).most_common(1)[0]
    return 2 * num > len(votes), first_error


def _label(
    trajectory: Trajectory, votes: Sequence[int | None], method: str, judge: str
) -> list[StepLabel]:
    is_agreed, first_error = majority(votes)
    num_steps = len(trajectory.steps)
    labels = []
    for index in range(num_steps):
        still_right = sum(vote is None or index < vote for vote in votes)
        labels.append(
            StepLabel(
                trajectory_id=trajectory.trajectory_id,
                step_index=index,
                method=method,
                completer=judge,
                evidence="judge",
                soft=still_right / len(votes) if is_agreed else None,
                hard=(first_error is None or index < first_error) if is_agreed else None,
            )
        )
    return labels
