"""What a drawn solution earns by its answer (R3, arXiv:2402.05808).

The cases are right, wrong but parsable, and neither. A solution that was cut off counts as having
no answer, whatever its text; one that cannot be graded has no reward and trains nothing.
"""

from collections.abc import Mapping
from typing import Any, Self

from schemas.training.rewards import GradeRewardConfig
from tasks.graders import Grade
from tasks.training.rewards import Drawn, Earned


class GradeReward:
    """Rewards answers."""

    def __init__(self, config: GradeRewardConfig) -> None:
        self._config = config

    @classmethod
    async def open(cls, config: GradeRewardConfig, **_: object) -> Self:
        """The reward; grades need no engine."""
        return cls(config)

    async def judge(self, state: Mapping[str, Any], drawn: Drawn) -> list[Earned]:
        """See `Reward`."""
        return [
            grade_reward(grade, is_finished=is_finished, config=self._config)
            for grade, is_finished in zip(drawn.grades, drawn.finished, strict=True)
        ]

    async def close(self) -> None:
        """See `Reward`."""


def grade_reward(grade: Grade, *, is_finished: bool, config: GradeRewardConfig) -> float | None:
    """What a solution earns by its answer; None where it cannot be graded."""
    if not is_finished or grade.answer is None:
        return config.neither
    if grade.correct is None:
        return None
    return config.right if grade.correct else config.parsable


REWARD = GradeReward
