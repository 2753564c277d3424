"""When a prefix has had enough rollouts.

`first_hit` stops once the hard label of all N rollouts is certain. `confidence` stops once it is
probable enough, under this prior: with `p_fatal` no rollout can succeed, else the solve rate is
uniform on [0, 1]. One hit rules the first out, so a few misses settle what many would confirm.

The rule looks at the verdicts alone, so stored rollouts can be stopped again in hindsight.
"""

from collections.abc import Sequence
from math import comb

from schemas.step_labels import MonteCarloConfig


def num_to_draw(verdicts: Sequence[bool | None], config: MonteCarloConfig) -> int:
    """How many further rollouts a prefix needs now; 0 when it is done.

    Args:
        verdicts: [num_drawn] of the rollouts so far; None for one without a verdict, which
            counts as drawn but carries no information.
        config: rule, number of rollouts and wave size.
    """
    num_left = config.num_rollouts - len(verdicts)
    if config.stopping == "none" or num_left <= 0:
        return max(num_left, 0)
    p_right = p_label_right(
        num_correct=sum(verdict is True for verdict in verdicts),
        num_wrong=sum(verdict is False for verdict in verdicts),
        num_left=num_left,
        min_correct=config.min_correct,
        p_fatal=config.p_fatal,
    )
    enough = 1.0 if config.stopping == "first_hit" else config.confidence
    if max(p_right, 1 - p_right) >= enough:
        return 0
    return min(config.wave_size, num_left)


def keep_until_stop(
    verdicts: Sequence[bool | None], config: MonteCarloConfig, *, num_known: int = 0
) -> Sequence[bool | None]:
    """The first verdicts, as many as the stopping rule would have drawn of them.

    The first `num_known` were known before anything was drawn, and stay.
    """
    num_kept = num_known
    while wave := min(num_to_draw(verdicts[:num_kept], config), len(verdicts) - num_kept):
        num_kept += wave
    return verdicts[:num_kept]


def p_label_right(
    *, num_correct: int, num_wrong: int, num_left: int, min_correct: int, p_fatal: float
) -> float:
    """The probability that at least `min_correct` rollouts are right once the rest are drawn.

    Exactly 1 or 0 where the rest cannot change the label.
    """
    num_needed = min_correct - num_correct
    if num_needed <= 0:
        return 1.0
    if num_needed > num_left:
        return 0.0
    p_solvable = 1.0
    if num_correct == 0:
        p_all_wrong = (1 - p_fatal) / (num_wrong + 1)  # a uniform rate misses w times: 1/(w+1)
        p_solvable = p_all_wrong / (p_fatal + p_all_wrong)
    # The rate's posterior is Beta(1 + right, 1 + wrong); the rest is then beta-binomial.
    p_enough = sum(
        _p_beta_binomial(hits, num_left, num_correct + 1, num_wrong + 1)
        for hits in range(num_needed, num_left + 1)
    )
    return p_solvable * p_enough


def _p_beta_binomial(hits: int, trials: int, alpha: int, beta: int) -> float:
    """Chance of so many hits when the rate is Beta(alpha, beta), for whole alpha and beta."""
    return (
        comb(hits + alpha - 1, hits)
        * comb(trials - hits + beta - 1, trials - hits)
        / comb(trials + alpha + beta - 1, trials)
    )
