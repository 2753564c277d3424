"""Solutions with a label per step, as TRL's PRM trainer reads them.

TRL puts the separator behind every step, so it is taken off here. Its labels are true or false: a
solution ends before its first step that has none.
"""

from collections.abc import Iterable, Iterator, Sequence

from schemas.training_rows import StepwiseRow
from tasks.dataset_export.read import CleanPool, take
from tasks.dataset_export.solved import Solution, SolvedProblem


def build_stepwise(
    pool: CleanPool, *, method: str, stops_at_error: bool, per_problem: int | None
) -> Iterator[StepwiseRow]:
    """Labelled solutions, as many of a problem as may be."""
    return stepwise_rows(
        pool,
        pool.labelled(method),
        method=method,
        stops_at_error=stops_at_error,
        per_problem=per_problem,
    )


def stepwise_rows(
    pool: CleanPool,
    problems: Iterable[SolvedProblem],
    *,
    method: str,
    stops_at_error: bool,
    per_problem: int | None,
) -> Iterator[StepwiseRow]:
    """A row for each of the first solutions of these problems that have a labelled step."""
    for problem in problems:
        usable = [(s, labels_of(s, stops_at_error)) for s in problem.solutions]
        usable = [(solution, labels) for solution, labels in usable if labels]
        for solution, labels in usable[:per_problem]:
            yield StepwiseRow(
                prompt=pool.build_prompt(problem),
                completions=tuple(
                    step.removesuffix(pool.prompt_format.separator)
                    for step in take(solution.steps, len(labels))
                ),
                labels=tuple(labels),
                source_ids=solution.ids,
                problem_id=problem.problem_id,
                source=problem.source,
                level=problem.level,
                weight=1.0,
                reason=f"labels by {method}",
            )


def labels_of(solution: Solution, stops_at_error: bool) -> Sequence[bool]:
    """Labels of the first steps, up to one without; the first wrong one is the last on demand."""
    labels: list[bool] = []
    for label in solution.labels or ():
        if label is None:
            break
        labels.append(label)
        if stops_at_error and not label:
            break
    return labels
