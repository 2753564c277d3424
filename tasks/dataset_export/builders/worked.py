"""The worked solutions that came with the problems: the truth that a weak policy learns from."""

from collections.abc import Iterator

from schemas.dataset_export.weak_builders import WorkedConfig
from schemas.training_rows import CompletionRow
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.rows import completion_row


def build(source: CheckedSource, config: WorkedConfig) -> Iterator[CompletionRow]:
    """A row per problem that came with a worked solution, in a random order."""
    for problem in source.originals():
        (solution,) = problem.solutions
        yield completion_row(source, problem, solution, "worked solution")
