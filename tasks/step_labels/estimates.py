"""What the verdicts on rollouts say about a prefix.

A rollout without a verdict is left out, not counted wrong.
"""

from collections.abc import Sequence

from schemas.step_labels import MonteCarloConfig

Verdicts = Sequence[bool | None]
"""Verdicts on rollouts of one prefix; None for one that was cut or could not be graded."""


def count_verdicts(verdicts: Verdicts) -> tuple[int, int]:
    """How many are right, and how many there are at all."""
    return sum(v is True for v in verdicts), sum(v is not None for v in verdicts)


def right_share(verdicts: Verdicts) -> float | None:
    """The share of right ones among those with a verdict, MC in the papers; None without any."""
    num_correct, num_graded = count_verdicts(verdicts)
    return num_correct / num_graded if num_graded else None


def hard_label(verdicts: Verdicts, config: MonteCarloConfig) -> bool | None:
    """The hard label that verdicts give; None if there are too few of them."""
    num_correct, num_graded = count_verdicts(verdicts)
    if num_correct >= config.min_correct:
        return True
    return None if num_graded < config.min_correct else False
