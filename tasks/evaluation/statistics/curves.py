"""Expected correctness at budget k over all k-subsets of n candidates, in closed form.

A point of a curve is not based on the first k candidates: it is the mean over all C(n, k) subsets,
which uses every candidate at every budget. Ties are fair: candidates or answers tied for first
share the win equally. `pass_at_k` is the unbiased estimator of arXiv:2107.03374; the others count
subsets in the same way. Strategies without a closed form are in `subsets.py`.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that k of n candidates include at least one of the c correct ones.

    Raises:
        ValueError: not 0 <= c <= n or not 1 <= k <= n.
    """
    if not 0 <= c <= n:
        raise ValueError(f"expected between 0 and {n} correct candidates, got {c}")
    _check_budgets((k,), n)
    if n - c < k:
        return 1.0
    # C(n-c, k) / C(n, k) is symmetric in c and k; the shorter product is more exact.
    few, many = sorted((c, k))
    return 1.0 - math.prod((n - many - i) / (n - i) for i in range(few))


def pass_curve(correct: Sequence[bool], budgets: Sequence[int]) -> FloatArray:
    """Pass@k at every budget, [num_budgets]."""
    return np.array([pass_at_k(len(correct), sum(correct), k) for k in budgets])


def best_of_n_curve(
    scores: Sequence[float | None], correct: Sequence[bool], budgets: Sequence[int]
) -> FloatArray:
    """Correctness of the candidate with the highest score, [num_budgets].

    Candidates with equal scores share a win, which counts their mean correctness. A candidate
    without a score wins only if no candidate in the subset has one.

    Args:
        scores: [num_candidates] higher is better, any real scale; None without a score.
        correct: [num_candidates].
        budgets: each at most `num_candidates`.

    Raises:
        ValueError: lengths differ, a score is not a number, or a budget is out of range.
    """
    _check_parallel(scores, correct)
    _check_budgets(budgets, len(scores))
    values = np.array([-np.inf if s is None else s for s in scores], dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError(f"expected real scores, got nan at {int(np.isnan(values).argmax())}")
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    ends = np.r_[starts[1:], len(ranked)]
    right = np.asarray(correct, dtype=np.float64)[order]
    p_correct = np.add.reduceat(right, starts) / (ends - starts)
    p_none_before = _p_avoid(len(scores), tuple(budgets))
    return (p_none_before[:, starts] - p_none_before[:, ends]) @ p_correct


def majority_curve(
    classes: Sequence[int | None], correct: Sequence[bool], budgets: Sequence[int]
) -> FloatArray:
    """Correctness of the answer with the largest number of votes, [num_budgets].

    Tied answers share the win equally. A candidate without an answer is part of the subset but
    casts no vote; a subset without votes counts 0. The correctness of an answer is the mean over
    its candidates (all of which agree if the grader is consistent).

    For every right answer and every number v of votes for it, the subsets in which t other
    answers have v votes and none has more are counted by a polynomial whose exponents are the
    size of the subset and t. The cost grows as n^3 to n^4: about a millisecond at n = 64.

    Args:
        classes: [num_candidates] equivalence class of the answer; None without one.
        correct: [num_candidates].
        budgets: each at most `num_candidates`.

    Raises:
        ValueError: lengths differ or a budget is out of range.
    """
    _check_parallel(classes, correct)
    n = len(classes)
    _check_budgets(budgets, n)
    sizes = Counter(label for label in classes if label is not None)
    num_right = Counter(c for c, ok in zip(classes, correct, strict=True) if ok and c is not None)
    num_blank = n - sizes.total()
    wins = np.zeros(n + 1)
    """[n + 1] number of subsets of each size that the right answers win, ties as fractions."""
    for label, count in num_right.items():
        others = sorted(size for other, size in sizes.items() if other != label)
        share = count / sizes[label]
        for votes in range(1, sizes[label] + 1):
            ties = _count_ties(others, num_blank, votes, n)
            fair = (ties / np.arange(1, len(ties) + 1)[:, None]).sum(axis=0)
            ways = share * math.comb(sizes[label], votes)
            wins[votes:] += ways * fair[: n + 1 - votes]
    return np.array([wins[k] / math.comb(n, k) for k in budgets])


def _count_ties(sizes: Sequence[int], num_blank: int, votes: int, n: int) -> FloatArray:
    """[num_ties + 1][n + 1] ways to choose x candidates so that t answers have `votes` votes.

    Only choices in which no answer has more are counted. Answers that cannot reach `votes` are
    unrestricted, like blanks; together they form one binomial row.
    """
    large = [size for size in sizes if size >= votes]
    free = num_blank + sum(sizes) - sum(large)
    ways = np.zeros((len(large) + 1, n + 1))
    ways[0] = _binomials(free, n)
    lags = np.arange(n + 1)[None, :] - np.arange(n + 1)[:, None]
    for index, size in enumerate(large):
        below = _binomials(size, n) * (np.arange(n + 1) < votes)
        grown = ways @ np.where(lags >= 0, below[lags], 0.0)
        grown[1 : index + 2, votes:] += math.comb(size, votes) * ways[: index + 1, : n + 1 - votes]
        ways = grown
    return ways


@lru_cache(maxsize=1024)
def _binomials(size: int, n: int) -> FloatArray:
    """C(size, x) for x = 0..n."""
    return np.array([float(math.comb(size, x)) for x in range(n + 1)])


@lru_cache(maxsize=256)
def _p_avoid(n: int, budgets: tuple[int, ...]) -> FloatArray:
    """[num_budgets][n + 1] chance that k of n candidates include none of m given ones."""
    drawn = np.arange(n)
    table = np.ones((len(budgets), n + 1))
    for row, k in enumerate(budgets):
        table[row, 1:] = np.cumprod(np.maximum(n - k - drawn, 0) / (n - drawn))
    return table


def _check_parallel(first: Sequence[object], correct: Sequence[bool]) -> None:
    if len(first) != len(correct):
        raise ValueError(f"expected {len(correct)} entries beside `correct`, got {len(first)}")


def _check_budgets(budgets: Sequence[int], n: int) -> None:
    for k in budgets:
        if not 1 <= k <= n:
            raise ValueError(f"expected a budget between 1 and the {n} candidates, got {k}")
