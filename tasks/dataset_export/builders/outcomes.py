"""Solutions with their grades alone: steps without labels, for a verifier of whole solutions."""

from collections.abc import Iterator

from schemas.dataset_export.score_builders import OutcomesConfig
from schemas.training_rows import StepwiseRow
from tasks.dataset_export.builders.stepwise import stepwise_rows
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.solved import SolvedProblem


def build(source: CheckedSource, config: OutcomesConfig) -> Iterator[StepwiseRow]:
    """A row per graded solution, at most `per_problem` of each problem."""
    return stepwise_rows(
        source,
        map(_without_labels, source.solved("graded")),
        stops_at_error=False,
        per_problem=config.per_problem,
        keeps_unlabelled=True,
        reason="by its grade",
    )


def _without_labels(problem: SolvedProblem) -> SolvedProblem:
    """The problem with solutions whose steps have no label."""
    return problem._replace(
        solutions=[s._replace(labels=[None] * len(s.steps), soft=None) for s in problem.solutions]
    )
