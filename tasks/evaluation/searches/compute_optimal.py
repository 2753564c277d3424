"""Compute-optimal search: for each difficulty and budget the strategy that is best there.

arXiv:2408.03314, section 3.2. Problems are binned by difficulty. In each bin the strategy that is
best on one fold of its problems is reported on the other fold, and vice versa. Bins are quintiles
(`difficulty.py`), or absolute thresholds of the solve rate as in arXiv:2502.06703, which mean the
same for every policy.

A budget is either N, and the choice is among the strategies at that N; or it is the tokens that
best of N takes, and the choice is among all strategies at any N that take no more tokens there.
Deviations: a problem's id decides its fold, and results are averaged over problems. The paper does
not count the cost of estimating difficulty; here it is a separate figure and part of `tokens`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.statistics.curves import FloatArray

THRESHOLDS = (("easy", 0.5), ("medium", 0.1), ("hard", 0.0))
"""Names of absolute difficulties, each with its minimum solve rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The cell that one bin of one fold is reported with."""

    level: str
    fold: int
    cell: int
    """The column of the cell."""
    accuracy: float
    """Its accuracy on the other folds, where it was chosen."""
    num_problems: int
    """Problems measured on the other folds."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Selection:
    """The choice for every problem, made without its fold."""

    cells: NDArray[np.int64]
    """[num_problems] the column of the chosen cell; -1 if nothing could be chosen."""
    choices: tuple[Choice, ...]

    def take(self, values: FloatArray) -> FloatArray:
        """Each problem's value in its cell, [num_problems][num_cells] to [num_problems]."""
        taken = values[np.arange(len(values)), self.cells]
        return np.where(self.cells >= 0, taken, np.nan)


def select_by_fold(
    correct: FloatArray,
    tokens: FloatArray,
    levels: Sequence[str | None],
    folds: Sequence[int],
    *,
    allowed: Sequence[int],
    limit: int | None = None,
) -> Selection:
    """Choose a cell for each level, on the problems of the other folds.

    If the other folds have no measured problem of a level, it gets the best cell over all.

    Args:
        correct: [num_problems][num_cells] 1 right, 0 wrong, nan not measured.
        tokens: same shape; the cost of each search.
        levels: [num_problems] the level of each problem; None leaves it out.
        folds: [num_problems] the fold of each problem.
        allowed: the cells to choose from.
        limit: the cell whose mean tokens, on the problems of the choice, must not be exceeded.
    """
    cells = np.full(len(correct), -1, dtype=np.int64)
    choices = []
    for level in sorted({level for level in levels if level is not None}):
        for fold in sorted(set(folds)):
            pairs = list(enumerate(zip(levels, folds, strict=True)))
            members = [i for i, (of, f) in pairs if of == level and f == fold]
            others = [i for i, (of, f) in pairs if of == level and f != fold]
            anywhere = [i for i, (of, f) in pairs if of is not None and f != fold]
            for judges in (others, anywhere):
                best = best_cell(correct[judges], tokens[judges], allowed, limit)
                if best is not None:
                    break
            if best is None or not members:
                continue
            cells[members] = best
            known = correct[judges, best]
            known = known[~np.isnan(known)]
            choices.append(
                Choice(
                    level=level,
                    fold=fold,
                    cell=best,
                    accuracy=float(known.mean()),
                    num_problems=len(known),
                )
            )
    return Selection(cells=cells, choices=tuple(choices))


def best_cell(
    correct: FloatArray, tokens: FloatArray, allowed: Sequence[int], limit: int | None = None
) -> int | None:
    """The cell with the highest accuracy; of equal ones the cheapest, then the first.

    Returns:
        None if no allowed cell was measured within the limit.
    """
    cap = np.inf if limit is None else mean_known(tokens[:, limit])
    ranked = [
        (-accuracy, cost, cell)
        for cell in allowed
        if not np.isnan(accuracy := mean_known(correct[:, cell]))
        and ((cost := mean_known(tokens[:, cell])) <= cap or cell == limit)
    ]
    return min(ranked)[2] if ranked else None


def name_thresholds(solve_rates: Sequence[float | None]) -> list[str | None]:
    """The absolute difficulty of each problem: easy from a solve rate of 0.5, medium from 0.1."""
    return [
        None if rate is None else next(name for name, lowest in THRESHOLDS if rate >= lowest)
        for rate in solve_rates
    ]


def mean_known(values: FloatArray) -> float:
    """The mean of the values that are not nan; nan if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
