"""V-StaR: right against wrong solutions for a verifier trained by DPO (arXiv:2402.06457).

The verifier's likelihood then ranks solutions. Pairs use the right and the wrong solutions evenly,
so that each one is used.
"""

from collections.abc import Iterator, Sequence

from schemas.dataset_export.builders import VStarConfig
from schemas.training_rows import PreferenceRow
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.rows import preference_row
from tasks.dataset_export.solved import Solution


def build(source: CheckedSource, config: VStarConfig) -> Iterator[PreferenceRow]:
    """Pairs of a right and a wrong solution of one problem."""
    for problem in source.solved("graded"):
        for better, worse in spread_pairs(problem.right, problem.wrong, config.per_problem):
            yield preference_row(source, problem, better, worse, "right against wrong")


def spread_pairs(
    right: Sequence[Solution], wrong: Sequence[Solution], max_pairs: int | None
) -> Iterator[tuple[Solution, Solution]]:
    """The first right x wrong pairs, in an order that uses each solution as evenly as possible."""
    num_all = len(right) * len(wrong)
    longer = max(len(right), len(wrong))
    for index in range(num_all if max_pairs is None else min(max_pairs, num_all)):
        # Diagonal by diagonal of the table, so that no pair occurs twice.
        turn, place = divmod(index, longer)
        if len(right) == longer:
            yield right[place], wrong[(place + turn) % len(wrong)]
        else:
            yield right[(place + turn) % len(right)], wrong[place]
