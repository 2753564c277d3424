"""Performance gap recovered: how much of a ceiling a student of a weak model reaches.

PGR = (student - weak) / (ceiling - weak) of arXiv:2312.09390, section 3. It has no meaning where
the ceiling is not above the weak model: there it is None, never 0.
"""

import math
from dataclasses import dataclass

import numpy as np

from tasks.evaluation.statistics.bootstrap import resample_counts
from tasks.evaluation.statistics.curves import FloatArray


@dataclass(frozen=True, slots=True)
class GapRecovered:
    """A gap recovered, with its interval."""

    value: float | None
    """None where the ceiling is not above the weak model."""
    low: float | None
    """None where the resamples do not bound it: too many have a ceiling that is not above."""
    high: float | None
    num_problems: int
    """Problems on which all three models were measured."""


def gap_recovered(weak: float, student: float, ceiling: float) -> float | None:
    """The share of the gap between weak model and ceiling that the student recovers.

    Above 1 where the student is better than the ceiling, below 0 where it is worse than the weak
    model; None where the ceiling is not above the weak model.

    Raises:
        ValueError: a performance is not a finite number.
    """
    values = {"weak": weak, "student": student, "ceiling": ceiling}
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{name}: expected a finite performance, got {value}")
    if ceiling <= weak:
        return None
    return (student - weak) / (ceiling - weak)


def bootstrap_gap_recovered(
    weak: FloatArray,
    student: FloatArray,
    ceiling: FloatArray,
    *,
    num_resamples: int,
    confidence: float,
    seed: int,
) -> GapRecovered:
    """The gap recovered in the mean over problems, which are resampled for all models together.

    A resample in which the ceiling is not above the weak model has no gap. It counts as below every
    value at the lower end and as above every value at the upper end, so an interval exists only
    where such resamples are rarer than its tails.

    Args:
        weak: [num_problems] the weak model's performance on each; nan where it was not measured.
        student: the same of the student.
        ceiling: the same of the ceiling.
        num_resamples: number of resamples of the problems.
        confidence: coverage of the interval, in (0, 1).
        seed: the seed of the resamples.

    Raises:
        ValueError: the lengths differ, or no problem was measured with all three.
    """
    if not len(weak) == len(student) == len(ceiling):
        raise ValueError(
            "expected the same problems for weak model, student and ceiling, "
            f"got {len(weak)}, {len(student)} and {len(ceiling)}"
        )
    values = np.stack([weak, student, ceiling], axis=1).astype(np.float64)
    values = values[~np.isnan(values).any(axis=1)]
    if not len(values):
        raise ValueError(
            f"expected a problem on which all three models were measured, got none of {len(weak)}"
        )
    value = gap_recovered(*map(float, values.mean(axis=0)))
    if value is None or len(values) < 2:
        return GapRecovered(value, None, None, len(values))
    means = resample_counts(len(values), num_resamples, seed) @ values / len(values)
    gaps = means[:, 2] - means[:, 0]
    has_gap = gaps > 0
    shares = (means[has_gap, 1] - means[has_gap, 0]) / gaps[has_gap]
    none = num_resamples - len(shares)
    tail = (1 - confidence) / 2
    low = float(np.quantile(np.append(shares, [-np.inf] * none), tail, method="lower"))
    high = float(np.quantile(np.append(shares, [np.inf] * none), 1 - tail, method="higher"))
    return GapRecovered(value, _known(low), _known(high), len(values))


def _known(end: float) -> float | None:
    return end if math.isfinite(end) else None
