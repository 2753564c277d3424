"""The two units of the step-label stage: rollouts on an actor, then labels from what is stored.

A rollout unit reads a range of a trajectories file and the set's problems, and writes
trajectories. A label unit reads the same range and its rollouts, and writes step labels: it needs
no model, and can be repeated with other rules.
"""

import asyncio

from schemas.rows import Problem, StepLabel, Trajectory
from schemas.step_labels import MonteCarloConfig, OutcomeConfig, StepLabelsJob
from schemas.units import Unit
from storage import Store
from tasks.engines.host import UnitContext
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import make_prompt_format
from tasks.step_labels.checker_labels import CheckSteps, label_by_checker
from tasks.step_labels.labels import label_outcomes, label_steps
from tasks.step_labels.rollouts import roll_out_trajectories


async def roll_out_unit(unit: Unit, job: StepLabelsJob, context: UnitContext) -> list[Trajectory]:
    """The rollouts of a unit's solutions; inputs are the solutions and the problems."""
    if not isinstance(job.labels, MonteCarloConfig):
        raise ValueError(f"labels by {job.labels.type} need no rollouts")
    trajectories, problems = await asyncio.to_thread(
        _read, context.store, unit.inputs[0], unit.inputs[1], unit.rows
    )

    def count(rows: list[Trajectory]) -> None:
        context.counters.rows += len(rows)
        context.counters.generated_tokens += sum(row.generated_tokens for row in rows)

    return await roll_out_trajectories(
        problems,
        trajectories,
        with_recommended(job.labels, job.policy),
        engine=context.engine("policy"),
        grader=context.grader(job.grader),
        prompt_format=make_prompt_format(job.prompt, job.policy),
        seed=job.seed,
        scope=f"{unit.run_id}/{unit.stage}",
        on_rows=count,
    )


def label_unit(
    unit: Unit, job: StepLabelsJob, store: Store, check: CheckSteps | None
) -> list[StepLabel]:
    """The labels of a unit's solutions; inputs are the solutions, the problems, the rollouts.

    Raises:
        ValueError: labels by an exact checker are configured, and no checker is given.
    """
    trajectories, problems = _read(store, unit.inputs[0], unit.inputs[1], unit.rows)
    config = job.labels
    if isinstance(config, OutcomeConfig):
        return label_outcomes(trajectories)
    if not isinstance(config, MonteCarloConfig):
        if check is None:
            raise ValueError("expected an exact checker: only the built-in world has one")
        return label_by_checker(problems, trajectories, check)
    rollouts: list[Trajectory] = store.read(unit.inputs[2])
    return label_steps(trajectories, rollouts, config)


def _read(
    store: Store, path: str, problems_path: str, rows: tuple[int, int] | None
) -> tuple[list[Trajectory], dict[str, Problem]]:
    problems: list[Problem] = store.read(problems_path)
    return store.read(path, rows), {problem.problem_id: problem for problem in problems}
