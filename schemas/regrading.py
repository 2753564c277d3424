"""Config of the regrading stage: new verdicts on stored solutions."""

from typing import Annotated

from schemas.base import FrozenConfig, SetName, Since
from schemas.graders import GraderConfig, MathGraderConfig


class RegradingJob(FrozenConfig):
    """Which stored solutions are graded again, and by which grader."""

    set_name: SetName = "eval"
    """The set of solutions."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    with_rollouts: bool = False
    """Include the rollouts from the set's solutions; labels made from them do not change."""
    with_refinements: Annotated[bool, Since(4)] = False
    """Include the second attempts at its solutions, with a critique or without."""
    with_error_paths: Annotated[bool, Since(4)] = False
    """Include the solutions that were made wrong on purpose from its solutions."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """The set of solutions."""
        return (self.set_name,)
