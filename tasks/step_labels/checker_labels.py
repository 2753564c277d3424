"""Step labels by an exact checker, where the world has one: the ground truth for other labels."""

from collections.abc import Callable, Mapping, Sequence

from schemas.rows import Problem, StepLabel, Trajectory
from schemas.step_labels import CheckerConfig

CheckSteps = Callable[[str, Sequence[str]], Sequence[bool]]
"""From a question and step texts to whether the solution is still right after each step."""

COMPLETER = "checker"
"""The value of the `completer` column, as no solution is completed."""


def label_by_checker(
    problems: Mapping[str, Problem], trajectories: Sequence[Trajectory], check: CheckSteps
) -> list[StepLabel]:
    """Label every step of every trajectory, in order.

    Args:
        problems: by problem id.
        trajectories: the solutions to label.
        check: the checker.

    Raises:
        ValueError: a trajectory's problem is missing, or the number of verdicts is wrong.
    """
    method = CheckerConfig().method
    labels = []
    for trajectory in trajectories:
        problem = problems.get(trajectory.problem_id)
        if problem is None:
            raise ValueError(
                f"trajectory {trajectory.trajectory_id}: its problem {trajectory.problem_id} "
                f"is not among the {len(problems)} problems given"
            )
        verdicts = check(problem.question, [step.text for step in trajectory.steps])
        if len(verdicts) != len(trajectory.steps):
            raise ValueError(
                f"trajectory {trajectory.trajectory_id}: expected {len(trajectory.steps)} "
                f"verdicts of the checker, got {len(verdicts)}"
            )
        labels += [
            StepLabel(
                trajectory_id=trajectory.trajectory_id,
                step_index=index,
                method=method,
                completer=COMPLETER,
                evidence="checker",
                soft=float(is_right),
                hard=is_right,
            )
            for index, is_right in enumerate(verdicts)
        ]
    return labels
