"""How hard a problem is for the policy: quintiles, level 1 the easiest (arXiv:2408.03314).

Oracle difficulty is the solved fraction of the problem's own candidates; model difficulty is the
mean final score of a verifier over them and needs no gold answer. Equal values always share a
level, so levels are not of equal size (the paper's are 100, 100, 100, 105, 95). The candidates
that difficulty is read from are those of a search that is evaluated too, so a level is a
description, not a prediction; who chooses by it pays for them beside what is chosen.
"""

from collections.abc import Sequence
from math import fsum

from tasks.evaluation.solutions.candidates import Candidates

NUM_LEVELS = 5


def oracle_ease(problem: Candidates) -> float | None:
    """The solved fraction of the candidates; None without a candidate."""
    rows = problem.usable()
    return sum(problem.correct[i] is True for i in rows) / len(rows) if rows else None


def model_ease(problem: Candidates) -> float | None:
    """The mean final step score of the candidates; None where none was scored."""
    finals = [scores[-1] for i in problem.usable() if (scores := problem.scores[i])]
    return fsum(finals) / len(finals) if finals else None


def assign_levels(ease: Sequence[float | None], num_levels: int = NUM_LEVELS) -> list[int | None]:
    """Levels 1 (easiest) to `num_levels`, by how many problems are strictly easier.

    Problems of equal ease share the level in which the first of them falls; a level can be
    empty where ties are long.

    Args:
        ease: [num_problems] higher is easier; None is left without a level.
        num_levels: 5 for quintiles.
    """
    known = sorted((e for e in ease if e is not None), reverse=True)
    num_easier: dict[float, int] = {}
    for rank, value in enumerate(known):
        num_easier.setdefault(value, rank)
    return [None if e is None else 1 + num_easier[e] * num_levels // len(known) for e in ease]
