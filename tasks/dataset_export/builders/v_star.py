"""V-StaR: right against wrong solutions for a verifier trained by DPO (arXiv:2402.06457).

Its likelihood then ranks solutions. Every right and every wrong solution should take part, so
pairs are spread evenly over both.
"""

from collections.abc import Iterator, Sequence

from schemas.dataset_export import VStarConfig
from schemas.training_rows import PreferenceRow
from tasks.dataset_export.read import CleanPool
from tasks.dataset_export.rows import preference_row
from tasks.dataset_export.solved import Solution


def build_v_star(pool: CleanPool, config: VStarConfig) -> Iterator[PreferenceRow]:
    """Pairs of a right and a wrong solution of one problem."""
    for problem in pool.solved("graded"):
        for better, worse in spread_pairs(problem.right, problem.wrong, config.per_problem):
            yield preference_row(pool, problem, better, worse, "right against wrong")


def spread_pairs(
    right: Sequence[Solution], wrong: Sequence[Solution], most: int | None
) -> Iterator[tuple[Solution, Solution]]:
    """The first so many of all right x wrong, in an order that uses each as evenly as can be."""
    num_all = len(right) * len(wrong)
    longer = max(len(right), len(wrong))
    for index in range(num_all if most is None else min(most, num_all)):
        # Diagonal after diagonal of the table, so no pair comes twice.
        turn, place = divmod(index, longer)
        if len(right) == longer:
            yield right[place], wrong[(place + turn) % len(wrong)]
        else:
            yield right[(place + turn) % len(right)], wrong[place]
