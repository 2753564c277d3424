"""The two units of the step-label stage: rollouts on an actor, then labels from what is stored.

A rollout unit reads a range of a trajectories file and the set's problems, and writes
trajectories; a judge unit (`judge_labels`) reads the same and writes critiques. A label unit reads
the same range and what was drawn for it, and for a consensus the labels of another method; it
writes step labels, needs no model, and can be repeated with other rules.
"""

import asyncio
from dataclasses import replace

from schemas.rows import Critique, Problem, StepLabel, Trajectory
from schemas.step_labels import (
    CheckerConfig,
    ConsensusConfig,
    JudgeConfig,
    MonteCarloConfig,
    OutcomeConfig,
    StepLabelsJob,
    StoredLabelsConfig,
)
from schemas.units import Unit
from storage import Store
from storage.labels import stored_labels
from tasks.engines.host import UnitContext
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import make_prompt_format
from tasks.step_labels.checker_labels import CheckSteps, label_by_checker
from tasks.step_labels.consensus import agreed_labels, match_labels
from tasks.step_labels.judge_labels import label_by_judge
from tasks.step_labels.labels import label_outcomes, label_steps
from tasks.step_labels.rollouts import roll_out_trajectories
from tasks.steps.trees import whole_rows
from tasks.tools.engine import with_tools


async def roll_out_unit(unit: Unit, job: StepLabelsJob, context: UnitContext) -> list[Trajectory]:
    """The rollouts of a unit's solutions; inputs are the solutions and the problems."""
    config = job.rollouts
    if config is None:
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
        with_recommended(config, job.completer),
        engine=with_tools(context.engine("policy"), job.prompt),
        grader=context.grader(job.grader),
        prompt_format=make_prompt_format(job.prompt, job.completer),
        seed=job.seed,
        scope=f"{unit.run_id}/{unit.stage}",
        on_rows=count,
    )


def label_unit(
    unit: Unit, job: StepLabelsJob, store: Store, check: CheckSteps | None
) -> list[StepLabel]:
    """The labels of a unit's solutions.

    Inputs are the solutions, the problems, then what the labels are made from: rollouts, a judge's
    critiques, or both in this order.

    Raises:
        ValueError: labels by an exact checker are configured, and no checker is given.
    """
    trajectories, problems = _read(store, unit.inputs[0], unit.inputs[1], unit.rows)
    config = job.labels
    if isinstance(config, OutcomeConfig):
        return label_outcomes(trajectories)
    if isinstance(config, CheckerConfig):
        return label_by_checker(problems, trajectories, _given(check))
    if isinstance(config, JudgeConfig):
        return label_by_judge(trajectories, store.read(unit.inputs[2]), config)
    rollouts: list[Trajectory] = store.read(unit.inputs[2])
    if isinstance(config, MonteCarloConfig):
        return label_steps(trajectories, rollouts, config)
    first = label_steps(trajectories, rollouts, config.first)
    solutions = whole_rows({label.trajectory_id for label in first}, [*trajectories, *rollouts])
    if isinstance(config.second, JudgeConfig):
        critiques: list[Critique] = store.read(unit.inputs[3])
        second = label_by_judge(solutions, critiques, config.second, config.second_method)
    else:
        second = _second_labels(problems, solutions, unit.run_id, config, store, check)
    return [*first, *second, *agreed_labels(first, second, config)]


def _second_labels(
    problems: dict[str, Problem],
    solutions: list[Trajectory],
    run_id: str,
    config: ConsensusConfig,
    store: Store,
    check: CheckSteps | None,
) -> list[StepLabel]:
    """The labels of the other labeller, under the name of a second method."""
    if isinstance(config.second, CheckerConfig):
        labels = label_by_checker(problems, solutions, _given(check))
        return [replace(label, method=config.second_method) for label in labels]
    assert isinstance(config.second, StoredLabelsConfig)
    stored = stored_labels(
        store,
        config.second.run_id or run_id,
        config.second.method,
        questions=sorted({problem.question for problem in problems.values()}),
    )
    return match_labels(problems, solutions, stored, config.second_method)


def _given(check: CheckSteps | None) -> CheckSteps:
    if check is None:
        raise ValueError("expected an exact checker: only the built-in world has one")
    return check


def _read(
    store: Store, path: str, problems_path: str, rows: tuple[int, int] | None
) -> tuple[list[Trajectory], dict[str, Problem]]:
    problems: list[Problem] = store.read(problems_path)
    return store.read(path, rows), {problem.problem_id: problem for problem in problems}
