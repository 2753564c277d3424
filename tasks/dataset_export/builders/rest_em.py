"""ReST-EM: right answers, at most ten per problem, for the base model (arXiv:2312.06585)."""

from collections.abc import Iterable, Iterator

from schemas.dataset_export.builders import RestEmConfig
from schemas.training_rows import CompletionRow
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.rows import completion_row
from tasks.dataset_export.solved import SolvedProblem


def build(source: CheckedSource, config: RestEmConfig) -> Iterator[CompletionRow]:
    """Right solutions, at most `per_problem` of each problem."""
    return right_rows(source, source.solved("right"), config.per_problem)


def right_rows(
    source: CheckedSource, problems: Iterable[SolvedProblem], per_problem: int | None
) -> Iterator[CompletionRow]:
    """A row for each of the first right solutions of these problems."""
    for problem in problems:
        for solution in take(problem.right, per_problem):
            yield completion_row(source, problem, solution, "right answer")
