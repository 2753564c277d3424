"""How hard a problem is for the policy: quintiles, level 1 the easiest (arXiv:2408.03314).

Oracle difficulty is the solve rate of the problem's own candidates. Model difficulty is the mean
final score that a verifier gives them: an estimate of the solve rate that needs no gold answer.
Problems with equal values are always in the same level, so levels differ in size (the paper's are
100, 100, 100, 105, 95). The candidates used to measure difficulty belong to a search that is
evaluated as well, so a level is a description, not a prediction; a choice based on it costs these
candidates in addition to whatever is chosen.
"""

from collections.abc import Sequence
from math import fsum

from schemas.metric_names import Bin
from tasks.evaluation.solutions.candidates import Candidates

NUM_LEVELS = 5


def oracle_solve_rate(problem: Candidates) -> float | None:
    """The solved fraction of the candidates; None without candidates."""
    rows = problem.usable()
    return sum(problem.correct[i] is True for i in rows) / len(rows) if rows else None


def model_solve_rate(problem: Candidates) -> float | None:
    """The mean final step score of the candidates; None if none was scored."""
    finals = [scores[-1] for i in problem.usable() if (scores := problem.scores[i])]
    return fsum(finals) / len(finals) if finals else None


def assign_levels(
    solve_rates: Sequence[float | None], num_levels: int = NUM_LEVELS
) -> list[int | None]:
    """Levels 1 (easiest) to `num_levels`, by the number of strictly easier problems.

    Problems with equal solve rates are all in the level of the first of them, so a level can be
    empty if many are equal.

    Args:
        solve_rates: [num_problems] higher is easier; None for a problem that gets no level.
        num_levels: 5 for quintiles.
    """
    known = sorted((rate for rate in solve_rates if rate is not None), reverse=True)
    num_easier: dict[float, int] = {}
    for rank, value in enumerate(known):
        num_easier.setdefault(value, rank)
    return [
        None if rate is None else 1 + num_easier[rate] * num_levels // len(known)
        for rate in solve_rates
    ]


def members_by_bin(kind: str, labels: Sequence[str | None]) -> dict[Bin, list[int]]:
    """The indices of the problems with each label of one kind; None belongs to no bin."""
    return {
        Bin(kind, name): [i for i, label in enumerate(labels) if label == name]
        for name in sorted({label for label in labels if label is not None})
    }
