"""Rows of easy problems, for models measured on hard ones (arXiv:2403.09472; also 2401.06751).

The rows are right solutions for a policy, or solutions with step labels for a verifier. `hard` and
`all` are built the same way, for comparison.
"""

from collections.abc import Iterable, Iterator

from schemas.dataset_export.builders import EasyToHardConfig
from schemas.training_rows import TrainingRow
from tasks.dataset_export.builders.rest_em import right_rows
from tasks.dataset_export.builders.stepwise import stepwise_rows
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.solved import SolvedProblem


def build(source: CheckedSource, config: EasyToHardConfig) -> Iterator[TrainingRow]:
    """Rows of the problems of one part."""
    if config.target == "policy":
        return right_rows(source, keep_part(source.solved("right"), config), config.per_problem)
    return stepwise_rows(
        source,
        keep_part(source.labelled(), config),
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
