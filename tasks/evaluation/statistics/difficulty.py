"""How hard a problem is for the policy: quintiles, level 1 the easiest (arXiv:2408.03314).

Oracle difficulty is the solve rate of the problem's own candidates. Model difficulty is the mean
final score of a verifier over them: its estimate of the solve rate, which needs no gold answer.
Equal values always share a level, so levels are not of equal size (the paper's are 100, 100, 100,
105, 95). The candidates that difficulty is read from are those of a search that is evaluated too,
so a level is a description, not a prediction; a choice made by it pays for them beside what is
chosen.
"""

from collections.abc import Sequence
from math import fsum

from schemas.metric_names import Bin
from tasks.evaluation.solutions.candidates import Candidates

NUM_LEVELS = 5


def oracle_solve_rate(problem: Candidates) -> float | None:
    """The solved fraction of the candidates; None without a candidate."""
    rows = problem.usable()
    return sum(problem.correct[i] is True for i in rows) / len(rows) if rows else None


def model_solve_rate(problem: Candidates) -> float | None:
    """The mean final step score of the candidates; None where none was scored."""
    finals = [scores[-1] for i in problem.usable() if (scores := problem.scores[i])]
    return fsum(finals) / len(finals) if finals else None


def assign_levels(
    solve_rates: Sequence[float | None], num_levels: int = NUM_LEVELS
) -> list[int | None]:
    """Levels 1 (easiest) to `num_levels`, by how many problems are strictly easier.

    Problems of equal solve rate share the level in which the first of them falls; a level can be
    empty where ties are long.

    Args:
        solve_rates: [num_problems] higher is easier; None is left without a level.
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
    """The problems of each label of one kind, as indices; None is in no bin."""
    return {
        Bin(kind, name): [i for i, label in enumerate(labels) if label == name]
        for name in sorted({label for label in labels if label is not None})
    }
