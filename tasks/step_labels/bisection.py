"""First-error search by bisection (OmegaPRM, arXiv:2406.06592, section 3.2).

It assumes that a solution which can no longer be saved after some step cannot be saved after any
later one. Deviations: the paper starts only from wrong solutions; here a right one counts as right
at every step without a test, as the assumption implies. A prefix without a verdict ends the
search, and the steps between the last right and the first wrong prefix stay without a label.
"""

from collections.abc import Generator
from dataclasses import dataclass

from schemas.rows import Trajectory
from schemas.units import derive_seed


@dataclass(frozen=True, slots=True)
class Bracket:
    """What a search knows: the first `num_right` steps are right, from `first_wrong` on wrong."""

    num_right: int
    first_wrong: int | None
    """Index of a step known to be wrong, the first one after a finished search, or None."""

    def verdict(self, step_index: int) -> bool | None:
        """Whether the solution is right after this step; None if the search did not find out."""
        if step_index < self.num_right:
            return True
        if self.first_wrong is not None and step_index >= self.first_wrong:
            return False
        return None


def bisect_first_error(
    num_steps: int, is_correct: bool | None, *, num_right: int = 0
) -> Generator[int, bool | None, Bracket]:
    """Search for the first wrong step; yields how many steps to keep, is sent the verdict.

    Args:
        num_steps: steps of the solution; whole prefixes of 1 to num_steps - 1 steps are tested.
        is_correct: the verdict on the final answer; None if ungraded: then the last
            step gets a label only if an earlier one is wrong.
        num_right: steps at the beginning that are known to be right.

    Returns:
        What is known after at most ceil(log2(num_steps - num_right)) tests.
    """
    if is_correct:
        return Bracket(num_steps, None)
    num_wrong = num_steps  # prefixes of num_right and num_wrong steps are right and not right
    while num_wrong - num_right > 1:
        middle = (num_right + num_wrong) // 2
        verdict = yield middle
        if verdict is None:
            break
        if verdict:
            num_right = middle
        else:
            num_wrong = middle
    if num_wrong == num_steps and is_correct is None:
        return Bracket(num_right, None)
    return Bracket(num_right, num_wrong - 1)


def is_audited(trajectory: Trajectory, fraction: float) -> bool:
    """Whether a trajectory belongs to the audited share; that depends only on its id."""
    return derive_seed("audit", trajectory.trajectory_id) < fraction * 2**31
