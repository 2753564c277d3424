"""Config of the regrading stage: new verdicts on stored solutions."""

from schemas.base import FrozenConfig, SetName
from schemas.graders import GraderConfig, MathGraderConfig


class RegradingJob(FrozenConfig):
    """Which stored solutions are graded again, and by which grader."""

    set_name: SetName = "eval"
    """The set of solutions."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    with_rollouts: bool = False
    """Include the rollouts from the set's solutions; labels made from them do not change."""
