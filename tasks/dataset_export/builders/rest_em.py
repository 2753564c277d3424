"""ReST-EM: right answers, at most ten per problem, for the base model (arXiv:2312.06585)."""

from collections.abc import Iterable, Iterator

from schemas.dataset_export import RestEmConfig
from schemas.training_rows import CompletionRow
from tasks.dataset_export.read import CleanPool, take
from tasks.dataset_export.rows import completion_row
from tasks.dataset_export.solved import SolvedProblem


def build_rest_em(pool: CleanPool, config: RestEmConfig) -> Iterator[CompletionRow]:
    """Right solutions, as many of a problem as may be."""
    return right_rows(pool, pool.solved("right"), config.per_problem)


def right_rows(
    pool: CleanPool, problems: Iterable[SolvedProblem], per_problem: int | None
) -> Iterator[CompletionRow]:
    """A row for each of the first right solutions of these problems."""
    for problem in problems:
        for solution in take(problem.right, per_problem):
            yield completion_row(pool, problem, solution, "right answer")
