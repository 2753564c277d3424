"""Solutions labelled by a weak verifier, for a strong one (arXiv:2312.09390, section 3)."""

from collections.abc import Iterator

from schemas.dataset_export.weak_builders import WeakLabelsConfig
from schemas.training_rows import StepwiseRow
from tasks.dataset_export.builders.stepwise import stepwise_rows
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.solved import SolvedProblem


def build(source: CheckedSource, config: WeakLabelsConfig) -> Iterator[StepwiseRow]:
    """A row per scored solution, at most `per_problem` of each problem, without its grade."""
    return stepwise_rows(
        source,
        map(_without_grades, source.scored(config.hard_threshold)),
        stops_at_error=False,
        per_problem=config.per_problem,
        keeps_unlabelled=True,
        reason=f"scores by {source.verifier}",
    )


def _without_grades(problem: SolvedProblem) -> SolvedProblem:
    return problem._replace(solutions=[s._replace(correct=None) for s in problem.solutions])
