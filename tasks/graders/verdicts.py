"""The part of a grade that counts: one rule for texts that were cut, and for later gradings.

A text cut at the token limit is not complete. A solution that was cut still counts by the answer
that it marks, if any: some policies keep writing after it. Without one its verdict is null, because
a longer limit might have made it right: nothing is learned from it, and it labels nothing.
A rollout that was cut never counts, whatever its text contains: it is an unfinished draw, and the
answer that its text marks may be in the prefix that it was given.

In a share of right solutions (`outcome`), every solution that the policy was asked for counts,
except those that could not be judged through no fault of the policy. A solution that was cut
without an answer is therefore not right: its budget was spent without a result.
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


def outcome(status: str, *, has_answer: bool, correct: bool | None) -> bool | None:
    """Whether a solution counts as right, as not right, or not at all (None), in every share.

    The macro `outcome` of `stepmill sql` is the same rule. Left out are solutions that an engine
    rejected, branches that a search gave up, and those that the grader could not judge: a limit was
    hit, or the problem cannot be used for grading. (A finished text without an answer is graded
    wrong, so a null verdict on one is about the problem too.)

    Args:
        status: how the solution ended.
        has_answer: whether it gives an answer.
        correct: its newest verdict.
    """
    if status not in ("finished", "truncated"):
        return None
    if correct is None and status == "truncated" and not has_answer:
        return False
    return correct


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
        else replace(
            row,
            answer=later.answer,
            correct=later.correct,
            grader=later.grader,
            check_result=later.check_result,
        )
        for row in trajectories
    ]
