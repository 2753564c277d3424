"""Preference pairs for a policy: right against wrong, or far apart in a verifier's scores.

By default the worse solution is the nearest to the better one by edit distance, so that the pair
shows where the two differ rather than how they are worded. No solution is in two pairs.
"""

from collections.abc import Iterator, Sequence

from schemas.dataset_export.builders import PreferenceConfig
from schemas.training_rows import PreferenceRow
from tasks.dataset_export.nearest import find_nearest
from tasks.dataset_export.read import CheckedSource, best_scored
from tasks.dataset_export.rows import preference_row
from tasks.dataset_export.solved import Solution

_ROUNDING = 1e-9


def build(source: CheckedSource, config: PreferenceConfig) -> Iterator[PreferenceRow]:
    """Pairs of a better and a worse solution of one problem."""
    if config.by == "margin":
        for problem in source.solved("any", min_score=0.0):
            for better, worse in pair_by_margin(problem.solutions, config):
                reason = f"score higher by {_margin(better, worse):.4f}"
                yield preference_row(source, problem, better, worse, reason)
        return
    for problem in source.solved("graded"):
        for better, worse, distance in pair_by_grade(problem.right, problem.wrong, config):
            reason = "right against wrong"
            if distance is not None:
                reason = f"right against the nearest wrong, edit distance {distance}"
            yield preference_row(source, problem, better, worse, reason)


def pair_by_grade(
    right: Sequence[Solution], wrong: Sequence[Solution], config: PreferenceConfig
) -> Iterator[tuple[Solution, Solution, int | None]]:
    """Right and wrong solutions with their edit distance, which is None for random pairs."""
    left = list(wrong)
    texts = [solution.text for solution in left]
    for better in right[: config.per_problem]:
        if not left:
            return
        index, distance = 0, None
        if config.pairing == "nearest":
            index, distance = find_nearest(better.text, texts)
        del texts[index]
        yield better, left.pop(index), distance


def pair_by_margin(
    solutions: Sequence[Solution], config: PreferenceConfig
) -> Iterator[tuple[Solution, Solution]]:
    """Each solution, the best scored first, with one that scores lower by the margin.

    That one is the nearest by edit distance among those that do, or the worst scored of them.
    """
    left = best_scored(solutions)
    num_pairs = 0
    while left and num_pairs != config.per_problem:
        better = left.pop(0)
        far = [s for s in left if _margin(better, s) >= config.min_margin - _ROUNDING]
        if not far:
            return
        worse = far[-1]
        if config.pairing == "nearest":
            worse = far[find_nearest(better.text, [solution.text for solution in far])[0]]
        left.remove(worse)
        num_pairs += 1
        yield better, worse


def _margin(better: Solution, worse: Solution) -> float:
    assert better.score is not None
    assert worse.score is not None
    return better.score - worse.score
