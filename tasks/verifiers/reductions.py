"""Step scores to one score per solution, and one score to its log odds.

No reduction is always best: schemas/reductions.py says which suits which labels. Everything that
ranks offers all of them for comparison.
"""

import math
from collections.abc import Sequence

from schemas.evaluation import Reduction

LOGIT_CLAMP = 1e-6
"""Scores are clamped this far from 0 and 1 before the logit, so it stays within +-13.8155."""


def reduce_scores(scores: Sequence[float], how: Reduction) -> float:
    """The score of a solution from the scores of its steps.

    Args:
        scores: [num_steps] in step order, in [0, 1].
        how: `min`, `prod` or `mean` over the steps, or the `last` step's score.

    Raises:
        ValueError: `scores` is empty, or the reduction is unknown.
    """
    if not scores:
        raise ValueError(f"expected at least one step score to reduce by {how}, got none")
    if how == "min":
        return min(scores)
    if how == "prod":
        return math.prod(scores)
    if how == "last":
        return scores[-1]
    if how == "mean":
        return math.fsum(scores) / len(scores)
    raise ValueError(f"expected a reduction of min, prod, last, mean, got {how!r}")


def logit(p: float) -> float:
    """The log odds of a probability, which is first clamped to [1e-6, 1 - 1e-6].

    Raises:
        ValueError: `p` is not in [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"expected a probability in [0, 1], got {p}")
    p = min(max(p, LOGIT_CLAMP), 1.0 - LOGIT_CLAMP)
    return math.log(p) - math.log1p(-p)


def join_likelihood(logprob: float, p: float, weight: float = 1.0) -> float:
    """Summed log probability + weight x log odds of a verifier's score.

    Args:
        logprob: of the policy, in nats.
        p: reduced score, in [0, 1].
        weight: of the verifier relative to the policy.
    """
    return logprob + weight * logit(p)
