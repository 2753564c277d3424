"""Expected correctness at budget k without a closed form: the mean over subsets, drawn once.

If there are few k-subsets, all of them are used and the value is exact; otherwise some are drawn
with a seed. All strategies and budgets of a problem use the same draws, so that sampling noise does
not blur the differences between strategies. Ties are fair, as in `curves.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.statistics.curves import FloatArray

BoolArray = NDArray[np.bool_]

TIE_TOLERANCE = 1e-9
"""Sums of weights closer than this count as equal, so that the order of summation has no effect."""


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """Subsets of n candidates at several budgets, stacked."""

    masks: FloatArray
    """[num_subsets][n] 1 if the candidate is in the subset, else 0."""
    starts: tuple[int, ...]
    """[num_budgets] index of the first subset of each budget."""

    def mean(self, values: FloatArray) -> FloatArray:
        """The mean over the subsets of each budget, [num_subsets, ...] to [num_budgets, ...]."""
        ends = (*self.starts[1:], len(self.masks))
        return np.array([values[a:b].mean(0) for a, b in zip(self.starts, ends, strict=True)])


def draw_subsets(n: int, budgets: Sequence[int], num_subsets: int, seed: int) -> Subsets:
    """All k-subsets of n candidates if they are at most `num_subsets`, else that many random ones.

    A random k-subset is the first k candidates of a random order. The orders are the same for every
    k, so a curve over budgets looks smoother than the uncertainty of its points.

    Raises:
        ValueError: a budget is out of range.
    """
    orders: NDArray[np.intp] | None = None
    parts: list[BoolArray] = []
    for k in budgets:
        if not 1 <= k <= n:
            raise ValueError(f"expected a budget between 1 and the {n} candidates, got {k}")
        if math.comb(n, k) <= num_subsets:
            chosen = np.array(list(combinations(range(n), k)))
        else:
            if orders is None:
                orders = np.random.default_rng(seed).random((num_subsets, n)).argsort(axis=1)
            chosen = orders[:, :k]
        mask = np.zeros((len(chosen), n), dtype=np.bool_)
        np.put_along_axis(mask, chosen, True, axis=1)
        parts.append(mask)
    starts = np.cumsum([0, *map(len, parts[:-1])])
    return Subsets(np.concatenate(parts).astype(np.float64), tuple(int(s) for s in starts))


class Votes:
    """The votes of every subset of a problem's candidates, counted once for all strategies."""

    def __init__(
        self, classes: Sequence[int | None], correct: Sequence[bool], subsets: Subsets
    ) -> None:
        """Count the votes.

        Args:
            classes: [num_candidates] equivalence class of the answer; None without one.
            correct: [num_candidates].
            subsets: subsets of these candidates.

        Raises:
            ValueError: lengths differ.
        """
        n = subsets.masks.shape[1]
        if not len(classes) == len(correct) == n:
            raise ValueError(f"expected {n} candidates, got {len(classes)} and {len(correct)}")
        self._subsets = subsets
        self._right = np.asarray(correct, dtype=np.float64)
        labels = sorted({label for label in classes if label is not None})
        self._ballots = np.array([[label == c for label in labels] for c in classes], dtype=float)
        self._class_right = (self._right @ self._ballots) / self._ballots.sum(axis=0)
        self._counts = subsets.masks @ self._ballots

    def majority(self) -> FloatArray:
        """Correctness of the answer with the largest number of votes, [num_budgets]."""
        return self._mean_of_top(self._counts)

    def weighted(self, weights: Sequence[float | None]) -> FloatArray:
        """Correctness of the answer with the largest sum of weights, [num_budgets].

        A candidate without a weight votes with weight 0: its answer can win only if no answer in
        the subset has more. A subset without answers counts 0.

        Args:
            weights: [num_candidates] not negative; None without a weight.
        """
        heavy = np.array([0.0 if w is None else w for w in weights])
        return self._mean_of_top(self._subsets.masks @ (heavy[:, None] * self._ballots))

    def filtered(self, keep: Sequence[bool]) -> FloatArray:
        """Correctness of the majority among kept candidates, or all if none is kept, [num_budgets].

        Filter vote of arXiv:2403.02419, with its fallback.

        Args:
            keep: [num_candidates] whether the candidate passes the filter.
        """
        kept = np.asarray(keep, dtype=np.float64)
        votes = self._subsets.masks @ (kept[:, None] * self._ballots)
        return self._mean_of_top(np.where(votes.any(axis=1, keepdims=True), votes, self._counts))

    def gated(self, scores: Sequence[float | None], share: float) -> FloatArray:
        """Correctness of the best scored candidate with a popular answer, [num_budgets].

        An answer is popular if it has at least `share` of the top answer's votes, and at least two
        if any answer has two. A candidate without a score wins only if no candidate with a popular
        answer has one. A subset without answers counts 0.

        Args:
            scores: [num_candidates] higher is better; None without a score.
            share: in [0, 1].
        """
        if not self._ballots.size:
            return self._subsets.mean(np.zeros(len(self._counts)))
        known = sorted({score for score in scores if score is not None})
        place = {score: i + 1 for i, score in enumerate(known)}
        ranks = np.array([0 if score is None else place[score] for score in scores])
        top = self._counts.max(axis=1, keepdims=True)
        bar = np.maximum(np.minimum(top, 2), share * top)
        popular = (self._counts >= bar) & (self._counts > 0)
        admitted = (popular @ self._ballots.T > 0) & (self._subsets.masks > 0)
        contest = np.where(admitted, ranks, -1)
        winners = admitted & (contest == contest.max(axis=1, keepdims=True))
        return self._subsets.mean(_share(winners, self._right))

    def _mean_of_top(self, votes: FloatArray) -> FloatArray:
        """Mean correctness of the answers with the most votes among those present."""
        if not self._ballots.size:
            return self._subsets.mean(np.zeros(len(self._counts)))
        present = self._counts > 0
        votes = np.where(present, votes, -np.inf)
        top = present & (votes >= votes.max(axis=1, keepdims=True) - TIE_TOLERANCE)
        return self._subsets.mean(_share(top, self._class_right))


def _share(winners: BoolArray, right: FloatArray) -> FloatArray:
    """[num_subsets] mean of `right` over the winners of each subset; 0 without winners."""
    return winners @ right / np.maximum(winners.sum(axis=1), 1)
