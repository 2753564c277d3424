"""Which solutions to refine, by a verifier, and what that gains (SCORE, arXiv:2404.17140).

A solution is refined where the verifier's probability that it is wrong exceeds a threshold. The
threshold is chosen on the problems of one fold and reported on those of the other. A solution whose
refinement could not be judged, or that the verifier did not judge, stays as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from statistics import fmean

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric, now
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.statistics.bootstrap import bootstrap_ratio

STRATEGY = "refine_flagged"
"""The strategy of the figures: solutions that a verifier flags are refined."""
THRESHOLDS = tuple(step / 100 for step in range(50, 101))
"""The thresholds that are tried, .50 to 1.00."""
_WORDS = {True: "right", False: "wrong"}
CELLS = ("right_right", "right_wrong", "wrong_right", "wrong_wrong")
"""Right or wrong before and after, as shares of all solutions."""


@dataclass(frozen=True, slots=True)
class Refined:
    """A solution, its refinement and what a verifier says of it."""

    problem_id: str
    before: bool
    after: bool | None
    """Whether its refinement is right; None if there is none that could be judged."""
    p_wrong: float | None
    """The verifier's probability that the solution is wrong; None if it did not say."""

    def ends_right(self, threshold: float) -> bool:
        """Whether it is right after refining what exceeds the threshold."""
        return bool(self.after) if self.is_refined(threshold) else self.before

    def is_flagged(self, threshold: float) -> bool:
        """Whether the verifier finds it wrong."""
        return self.p_wrong is not None and self.p_wrong > threshold

    def is_refined(self, threshold: float) -> bool:
        """Whether it is refined."""
        return self.after is not None and self.is_flagged(threshold)


def choose_threshold(rows: Sequence[Refined]) -> float:
    """The threshold with the most right solutions; of equal ones the highest.

    Raises:
        ValueError: there are no solutions.
    """
    if not rows:
        raise ValueError("expected solutions to choose a threshold on, got none")
    return max(THRESHOLDS, key=lambda t: (sum(row.ends_right(t) for row in rows), t))


def is_dev(problem_id: str, share: float) -> bool:
    """Whether a problem is in the fold that thresholds are chosen on; decided by its id alone."""
    place = int.from_bytes(sha256(problem_id.encode()).digest()[:4], "big") / 2**32
    return place < share


def gate_rows(
    name: str,
    policy: str,
    rows: Sequence[Refined],
    threshold: float,
    config: EvaluationConfig,
    *,
    set_name: str,
) -> list[Metric]:
    """The figures of refining what one verifier flags, with intervals by bootstrap over problems.

    `before`, `after`, `gain_over` (their difference), the four cells and `refined_share` are means
    over problems of shares of their solutions. `flags_wrong` and `passes_right` are rates over all
    wrong and right solutions.

    Args:
        name: the verifier, as the figures' arm.
        policy: the id of the refiner.
        rows: the solutions of the fold that is reported.
        threshold: chosen on the other fold.
        config: the intervals.
        set_name: the set of problems.
    """
    groups: dict[str, list[Refined]] = {}
    for row in rows:
        groups.setdefault(row.problem_id, []).append(row)
    by_problem = list(groups.values())
    writer = FigureWriter(policy, config)
    about = About(STRATEGY, arm=name)
    found: list[Metric] = []
    for metric, measure in _measures(threshold).items():
        values = [[fmean(float(measure(row)) for row in each)] for each in by_problem]
        found += writer.means(np.array(values), [about], metric)
    for metric, is_right in (("flags_wrong", False), ("passes_right", True)):
        wholes = [[sum(r.before is is_right for r in each)] for each in by_problem]
        parts = [
            [sum(r.before is is_right and r.is_flagged(threshold) is not is_right for r in each)]
            for each in by_problem
        ]
        found += _rate(writer, about, metric, parts, wholes)
    found.append(writer.row(about, "threshold", threshold, len(groups)))
    return [replace(row, set_name=set_name, created_at=now()) for row in found]


def _measures(threshold: float) -> dict[str, Callable[[Refined], float]]:
    """What is averaged, by the name of its figure."""

    def after(row: Refined) -> bool:
        return row.ends_right(threshold)

    def cell(first: bool, last: bool) -> Callable[[Refined], float]:
        return lambda row: row.before is first and after(row) is last

    return {
        "before": lambda row: row.before,
        "after": after,
        "gain_over": lambda row: after(row) - row.before,
        **{
            f"{_WORDS[first]}_{_WORDS[last]}": cell(first, last)
            for first in (True, False)
            for last in (True, False)
        },
        "refined_share": lambda row: row.is_refined(threshold),
    }


def _rate(
    writer: FigureWriter,
    about: About,
    metric: str,
    parts: list[list[int]],
    wholes: list[list[int]],
) -> list[Metric]:
    """A rate over all solutions; none where there are none of the kind."""
    if not any(whole for (whole,) in wholes):
        return []
    config = writer.config
    rate = bootstrap_ratio(
        np.array(parts, dtype=float),
        np.array(wholes, dtype=float),
        num_resamples=config.num_bootstrap,
        confidence=config.confidence,
        seed=config.seed,
    )
    num_problems, interval = int(rate.num_problems[0]), rate.interval(0)
    return [writer.row(about, metric, float(rate.value[0]), num_problems, interval=interval)]
