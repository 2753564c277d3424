"""Easy problems for what is measured on hard ones (arXiv:2403.09472; also 2401.06751).

For a policy its right solutions, for a verifier solutions with step labels. `hard` and `all` are
built the same way, for comparison.
"""

from collections.abc import Iterable, Iterator

from schemas.dataset_export import EasyToHardConfig
from schemas.training_rows import TrainingRow
from tasks.dataset_export.builders.rest_em import right_rows
from tasks.dataset_export.builders.stepwise import stepwise_rows
from tasks.dataset_export.read import CleanPool
from tasks.dataset_export.solved import SolvedProblem


def build_easy_to_hard(
    pool: CleanPool, config: EasyToHardConfig, *, method: str | None
) -> Iterator[TrainingRow]:
    """Rows of the problems of one part.

    Args:
        pool: the solutions.
        config: which part, and for whom.
        method: the step labels, for a verifier.
    """
    if config.target == "policy":
        return right_rows(pool, keep_part(pool.solved("right"), config), config.per_problem)
    assert method is not None
    return stepwise_rows(
        pool,
        keep_part(pool.labelled(method), config),
        method=method,
        stops_at_error=False,
        per_problem=config.per_problem,
    )


def keep_part(
    problems: Iterable[SolvedProblem], config: EasyToHardConfig
) -> Iterator[SolvedProblem]:
    """The problems of the part, in order."""
    for problem in problems:
        if problem.level is None:
            continue
        is_easy = problem.level in config.easy_levels
        if config.part == "all" or is_easy == (config.part == "easy"):
            yield problem
