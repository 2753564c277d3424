"""Later gradings over earlier ones: the newest verdict on a trajectory counts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from schemas.rows import Trajectory, Verdict


def apply_verdicts(
    trajectories: Sequence[Trajectory], verdicts: Iterable[Verdict]
) -> list[Trajectory]:
    """The trajectories with answer, correct and grader of their newest verdict, in order.

    Args:
        trajectories: one without a verdict stays as it was graded first.
        verdicts: in any order, also on other trajectories.
    """
    newest: dict[str, Verdict] = {}
    for verdict in verdicts:
        held = newest.setdefault(verdict.trajectory_id, verdict)
        if verdict.created_at > held.created_at:
            newest[verdict.trajectory_id] = verdict
    return [
        row
        if (verdict := newest.get(row.trajectory_id)) is None
        else replace(row, answer=verdict.answer, correct=verdict.correct, grader=verdict.grader)
        for row in trajectories
    ]
