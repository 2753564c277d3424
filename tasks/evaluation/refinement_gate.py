"""Which solutions to refine, by a verifier, and what that gains (SCORE, arXiv:2404.17140).

A solution is refined where the verifier's probability that it is wrong exceeds a threshold. The
threshold is chosen on the problems of one fold and reported on those of the other. A solution whose
refinement could not be judged, or that the verifier did not judge, stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric, now
from tasks.evaluation.statistics.bootstrap import bootstrap_mean, bootstrap_ratio

THRESHOLDS = tuple(step / 100 for step in range(50, 101))
"""The thresholds that are tried, .50 to 1.00."""
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

    def is_refined(self, threshold: float) -> bool:
        """Whether it is refined."""
        is_flagged = self.p_wrong is not None and self.p_wrong > threshold
        return is_flagged and self.after is not None


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
    bin_name: str,
) -> list[Metric]:
    """The figures of refining by one verifier: accuracies, gain, cells, and what it flags.

    `before`, `after` and `gain` are means over problems with intervals, the four cells shares of
    all solutions. `flags_wrong` and `passes_right` are rates of the verifier at the threshold.
    """
    problems = list(dict.fromkeys(row.problem_id for row in rows))
    by_problem = {each: [row for row in rows if row.problem_id == each] for each in problems}
    before = _means(by_problem, lambda row: row.before)
    after = _means(by_problem, lambda row: row.ends_right(threshold))
    figures = {"before": before, "after": after, "gain": after - before}
    for cell in CELLS:
        first, last = (word == "right" for word in cell.split("_"))
        figures[cell] = _means(
            by_problem,
            lambda row, f=first, e=last: row.before is f and row.ends_right(threshold) is e,
        )
    figures["refined_share"] = _means(by_problem, lambda row: row.is_refined(threshold))
    settings = {
        "num_resamples": config.num_bootstrap,
        "confidence": config.confidence,
        "seed": config.seed,
    }
    found: list[Metric] = []

    def add(metric: str, value: float, ends: tuple[float | None, float | None], num: int) -> None:
        low, high = ends
        found.append(
            Metric(
                policy=policy,
                verifier=None,
                strategy="score",
                budget=None,
                bin=bin_name,
                metric=metric,
                value=value,
                ci_low=low,
                ci_high=high,
                num_problems=num,
                arm=name,
                created_at=now(),
            )
        )

    for metric, values in figures.items():
        means = bootstrap_mean(values[:, None], **settings)
        add(metric, float(means.value[0]), means.interval(0), int(means.num_problems[0]))
    for metric, is_right in (("flags_wrong", False), ("passes_right", True)):
        parts = [
            sum(
                r.before is is_right and _flags(r, threshold) is not is_right
                for r in by_problem[each]
            )
            for each in problems
        ]
        wholes = [sum(r.before is is_right for r in by_problem[each]) for each in problems]
        if sum(wholes):
            rates = bootstrap_ratio(_column(parts), _column(wholes), **settings)
            add(metric, float(rates.value[0]), rates.interval(0), int(rates.num_problems[0]))
    add("threshold", threshold, (None, None), len(problems))
    return found


def _flags(row: Refined, threshold: float) -> bool:
    return row.p_wrong is not None and row.p_wrong > threshold


def _means(by_problem: dict[str, list[Refined]], measure) -> np.ndarray:
    """[num_problems] the share of a problem's solutions with a property."""
    return np.array([np.mean([float(measure(row)) for row in rows]) for rows in by_problem.values()])


def _column(values: Sequence[int]) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]
