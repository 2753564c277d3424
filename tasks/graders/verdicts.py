"""The part of a grade that counts: one rule for texts that were cut, and for later gradings.

A text cut at the token limit is not complete. A solution that was cut still counts by the answer
that it marks, if any: some policies keep writing after it. Without one it is ungraded, never wrong,
because a longer limit might have made it right (counting it as wrong biases accuracies and labels).
A rollout that was cut never counts, whatever its text contains: it is an unfinished draw, and the
answer that its text marks may be in the prefix that it was given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from schemas.rows import Trajectory, Verdict
from schemas.step_labels import ROLLOUT_STRATEGY
from tasks.graders.base import UNGRADED, Grade

TextKind = Literal["solution", "rollout"]
"""A whole solution, or the continuation of a prefix."""


def verdict(grade: Grade | None, status: str, kind: TextKind) -> Grade:
    """The part of a text's grade that counts, by how the text ended.

    Args:
        grade: the grade of the whole text; None if it was not graded.
        status: `finished` and `truncated` texts may count; `error`, `pruned` or any other way to
            end never does.
        kind: whether the text is a solution or a rollout.
    """
    if grade is None or status not in ("finished", "truncated"):
        return UNGRADED
    if status == "truncated" and (kind == "rollout" or grade.answer is None):
        return UNGRADED
    return grade


def kind_of(row: Trajectory) -> TextKind:
    """The kind of a stored row's text."""
    return "rollout" if row.strategy == ROLLOUT_STRATEGY else "solution"


def apply_verdicts(
    trajectories: Sequence[Trajectory], verdicts: Iterable[Verdict]
) -> list[Trajectory]:
    """The trajectories with answer, correct and grader of their newest verdict, in order.

    Args:
        trajectories: one without a verdict stays as it was graded first.
        verdicts: in any order, also on other trajectories.
    """
    newest: dict[str, Verdict] = {}
    for later in verdicts:
        held = newest.setdefault(later.trajectory_id, later)
        if later.created_at > held.created_at:
            newest[later.trajectory_id] = later
    return [
        row
        if (later := newest.get(row.trajectory_id)) is None
        else replace(row, answer=later.answer, correct=later.correct, grader=later.grader)
        for row in trajectories
    ]
