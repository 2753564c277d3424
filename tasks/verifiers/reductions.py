"""Step scores to one score per solution, and one score to its log odds.

No reduction is always best: schemas/reductions.py says which suits which labels. Everything that
ranks offers all of them for comparison.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.evaluation import Reduction

_SMALLEST_EXPONENT = 1074
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


@dataclass(frozen=True, slots=True)
class ScoreTotals:
    """The scores of a prefix's steps, as far as `reduce_scores` needs them.

    A step more takes the same time however long the prefix is, and every reduction is the one of
    `reduce_scores` to the last bit: the sum is an exact integer, of units of 2**-1074.
    """

    num_scores: int
    last: float
    least: float
    product: float
    exact_sum: int

    def with_score(self, score: float) -> "ScoreTotals":
        """The totals with one more score, in [0, 1]."""
        numerator, denominator = score.as_integer_ratio()
        return ScoreTotals(
            self.num_scores + 1,
            score,
            min(self.least, score),
            self.product * score,
            self.exact_sum + (numerator << _SMALLEST_EXPONENT) // denominator,
        )

    def reduce(self, how: Reduction) -> float:
        """`reduce_scores` of the scores, of which there is at least one."""
        if how == "mean":
            return self.exact_sum / (1 << _SMALLEST_EXPONENT) / self.num_scores
        return {"min": self.least, "prod": self.product, "last": self.last}[how]


NO_SCORES = ScoreTotals(0, 1.0, 1.0, 1.0, 0)


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
