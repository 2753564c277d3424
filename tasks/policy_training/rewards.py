"""What a drawn solution earns: by its answer, or by a verifier's scores of its steps.

By the answer (R3, arXiv:2402.05808): right, wrong but parsable, neither. A solution that was cut
off has not come to an answer, whatever its text holds; one that cannot be graded earns nothing
and teaches nothing.

By a verifier's scores s_1 .. s_K: paying each step its score would pay for further steps. Here a
step earns the change of a potential, the lowest score so far, with a potential of 1 before the
first step:

    m_0 = 1,  m_k = min(m_(k-1), s_k),  reward of step k = m_k - m_(k-1) <= 0

The rewards telescope: their sum is m_K - 1, the lowest score less one, so the return of a solution
(1 added) is its lowest score. A further step, a repeated one or one cut in two can lower it or
leave it, never raise it (min-form credit, arXiv:2504.15275).
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from schemas.policy_training import GradeRewardConfig
from tasks.graders import Grade


def grade_reward(grade: Grade, *, is_finished: bool, config: GradeRewardConfig) -> float | None:
    """What a solution earns by its answer; None where nobody can tell."""
    if not is_finished or grade.answer is None:
        return config.neither
    if grade.correct is None:
        return None
    return config.right if grade.correct else config.parsable


def step_rewards(scores: Sequence[float]) -> list[float]:
    """What each step earns, in [-1, 0]; the sum is the lowest score less one."""
    potentials = accumulate(scores, min, initial=1.0)
    return [after - before for before, after in pairwise(potentials)]


def shaped_return(scores: Sequence[float]) -> float:
    """What a solution earns by its steps' scores: the potential it is left with, in [0, 1]."""
    return 1.0 + sum(step_rewards(scores))
