"""Accuracy before and after a second attempt with a critique, of one arm of a loop.

`unrefined` is the share of right solutions among those that were critiqued, `refined` that of the
second attempts at the same solutions. A solution counts once: as the mean of its second attempts,
or as itself if there are none. What was not graded is left out.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Critique, Metric, Problem, Trajectory, now
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.statistics.difficulty import members_by_bin
from tasks.graders.verdicts import outcome

BEFORE, AFTER = "unrefined", "refined"
"""Names of the figures."""


def second_attempt_rows(
    arm: str,
    label: str,
    policy: str,
    *,
    problems: Sequence[Problem],
    solutions: Sequence[Trajectory],
    critiques: Sequence[Critique],
    refinements: Sequence[Trajectory],
    config: EvaluationConfig,
) -> list[Metric]:
    """The figures of one policy, over all problems and for each level.

    Args:
        arm: the name of the arm.
        label: its round.
        policy: the id of the policy.
        problems: the held-out problems.
        solutions: the policy's solutions of them.
        critiques: critiques of some of these solutions.
        refinements: the second attempts with these critiques.
        config: the intervals.
    """
    levels = {problem.problem_id: problem.level for problem in problems}
    names = sorted({row.problem_id for row in critiques})
    before, after = (
        _means_before(solutions, critiques),
        _means_after(solutions, critiques, refinements),
    )
    values = np.array(
        [[before.get(name, math.nan), after.get(name, math.nan)] for name in names]
    ).reshape(-1, 2)
    labels = [levels.get(name) for name in names]
    bins = {Bin(): list(range(len(names)))}
    bins |= members_by_bin("level", [None if level is None else str(level) for level in labels])
    writer = FigureWriter(policy, config)
    about = About("critique", arm=arm)
    rows = []
    for where, members in bins.items():
        bin_name = str(replace(where, round=label))
        for column, metric in enumerate((BEFORE, AFTER)):
            rows += writer.means(values[members][:, [column]], [about], metric, bin_name=bin_name)
    return [replace(row, created_at=now()) for row in rows]


def _means_before(
    solutions: Sequence[Trajectory], critiques: Sequence[Critique]
) -> dict[str, float]:
    """For each problem, the share of right ones among its critiqued solutions."""
    read = {critique.trajectory_id for critique in critiques}
    found: dict[str, list[float]] = {}
    for row in solutions:
        if row.trajectory_id in read and (right := _is_right(row)) is not None:
            found.setdefault(row.problem_id, []).append(float(right))
    return {name: fmean(values) for name, values in found.items()}


def _means_after(
    solutions: Sequence[Trajectory],
    critiques: Sequence[Critique],
    refinements: Sequence[Trajectory],
) -> dict[str, float]:
    """For each problem, the share of right ones after the second attempts."""
    tries: dict[str | None, list[Trajectory]] = {}
    for row in refinements:
        if row.critique_id is not None:
            tries.setdefault(row.parent_id, []).append(row)
    read = {critique.trajectory_id for critique in critiques}
    found: dict[str, list[float]] = {}
    for row in solutions:
        if row.trajectory_id not in read:
            continue
        rights = [_is_right(each) for each in tries.get(row.trajectory_id, [row])]
        graded = [float(right) for right in rights if right is not None]
        if graded:
            found.setdefault(row.problem_id, []).append(fmean(graded))
    return {name: fmean(values) for name, values in found.items()}


def _is_right(row: Trajectory) -> bool | None:
    return outcome(row.status, has_answer=row.answer is not None, correct=row.correct)
