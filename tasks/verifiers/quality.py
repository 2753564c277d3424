"""The quality of a verifier's scores: ranking (AUC), calibration, log loss.

Training measures its held-out set with these and evaluation its stored rows, so both figures mean
the same. A label of None is unknown: its step is left out, never counted as wrong.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LOSS_CLAMP = 1e-6
"""Scores are clamped this far from 0 and 1 before taking logarithms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """The scores in one interval [low, high) against their labels (the last bin includes 1)."""

    low: float
    high: float
    count: int
    mean_score: float | None
    """None where the bin is empty."""
    rate: float | None
    """Mean label; None where the bin is empty."""


def auc(scores: Sequence[float], labels: Sequence[bool | None]) -> float | None:
    """The probability that a right step scores above a wrong one, with ties counting half.

    Returns:
        In [0, 1]; None without both a right and a wrong label.

    Raises:
        ValueError: lengths differ.
    """
    values, truth = _known(scores, labels)
    num_right = int(truth.sum())
    num_wrong = len(truth) - num_right
    if not num_right or not num_wrong:
        return None
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(sizes) - (sizes - 1) / 2.0
    rank_sum = mid_ranks[group][truth > 0].sum()
    return float((rank_sum - num_right * (num_right + 1) / 2) / (num_right * num_wrong))


def grouped_auc(
    groups: Sequence[tuple[Sequence[float], Sequence[bool | None]]],
) -> float | None:
    """The mean of the groups' own AUCs: ranking within a problem, not between problems.

    Args:
        groups: scores and labels of each group; a group without both kinds of label is left out.

    Returns:
        In [0, 1]; None where no group has both kinds.
    """
    known = [value for scores, labels in groups if (value := auc(scores, labels)) is not None]
    return math.fsum(known) / len(known) if known else None


def log_loss(scores: Sequence[float], labels: Sequence[float | bool | None]) -> float | None:
    """The mean cross entropy in nats; labels may be soft, scores are clamped by 1e-6.

    Returns:
        None without a known label.

    Raises:
        ValueError: lengths differ.
    """
    values, truth = _known(scores, labels)
    if not len(truth):
        return None
    p = np.clip(values, LOSS_CLAMP, 1.0 - LOSS_CLAMP)
    return float(-(truth * np.log(p) + (1.0 - truth) * np.log1p(-p)).mean())


def reliability_table(
    scores: Sequence[float], labels: Sequence[float | bool | None], num_bins: int = 10
) -> list[CalibrationBin]:
    """Mean score against mean label in bins of equal width over [0, 1], in order.

    Raises:
        ValueError: lengths differ, or a score is not in [0, 1].
    """
    values, truth = _known(scores, labels)
    if len(values) and not (values.min() >= 0.0 and values.max() <= 1.0):
        raise ValueError(f"expected scores in [0, 1], got {values.min()} to {values.max()}")
    places = np.minimum((values * num_bins).astype(int), num_bins - 1)
    counts = np.bincount(places, minlength=num_bins)
    score_sums = np.bincount(places, weights=values, minlength=num_bins)
    label_sums = np.bincount(places, weights=truth, minlength=num_bins)
    return [
        CalibrationBin(
            low=i / num_bins,
            high=(i + 1) / num_bins,
            count=int(count),
            mean_score=float(score_sums[i] / count) if count else None,
            rate=float(label_sums[i] / count) if count else None,
        )
        for i, count in enumerate(counts)
    ]


def expected_calibration_error(table: Sequence[CalibrationBin]) -> float | None:
    """The mean gap between score and rate over all steps; None where every bin is empty."""
    total = sum(row.count for row in table)
    gaps = [
        row.count * abs(row.mean_score - row.rate)
        for row in table
        if row.mean_score is not None and row.rate is not None
    ]
    return math.fsum(gaps) / total if total else None


def _known(
    scores: Sequence[float], labels: Sequence[float | bool | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of the steps whose label is known."""
    if len(scores) != len(labels):
        raise ValueError(f"expected {len(labels)} scores, one per label, got {len(scores)}")
    pairs = [(s, label) for s, label in zip(scores, labels, strict=True) if label is not None]
    values = np.array([s for s, _ in pairs], dtype=np.float64)
    return values, np.array([label for _, label in pairs], dtype=np.float64)
