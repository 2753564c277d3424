"""Solutions with a label per step, as TRL's PRM trainer reads them.

TRL appends the separator to every step, so it is removed here. Its labels are true or false: a
solution ends before its first step without one.
"""

from collections.abc import Iterable, Iterator, Sequence

from schemas.dataset_export.builders import StepwiseConfig
from schemas.training_rows import StepwiseRow
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.solved import Solution, SolvedProblem


def build(source: CheckedSource, config: StepwiseConfig) -> Iterator[StepwiseRow]:
    """Labelled solutions, at most `per_problem` of each problem."""
    return stepwise_rows(
        source,
        source.labelled(),
        stops_at_error=config.after_first_error == "drop",
        per_problem=config.per_problem,
    )


def stepwise_rows(
    source: CheckedSource,
    problems: Iterable[SolvedProblem],
    *,
    stops_at_error: bool,
    per_problem: int | None,
) -> Iterator[StepwiseRow]:
    """A row for each of the first solutions of these problems that have a labelled step."""
    for problem in problems:
        usable = [(s, labels_of(s, stops_at_error)) for s in problem.solutions]
        usable = [(solution, labels) for solution, labels in usable if labels]
        for solution, labels in usable[:per_problem]:
            yield StepwiseRow(
                prompt=source.build_prompt(problem),
                completions=tuple(
                    step.removesuffix(source.prompt_format.separator)
                    for step in take(solution.steps, len(labels))
                ),
                labels=tuple(labels),
                source_ids=solution.ids,
                problem_id=problem.problem_id,
                source=problem.source,
                level=problem.level,
                weight=1.0,
                reason=f"labels by {source.method}",
            )


def labels_of(solution: Solution, stops_at_error: bool) -> Sequence[bool]:
    """Labels of the first steps, up to one without; optionally the first wrong one is the last."""
    labels: list[bool] = []
    for label in solution.labels or ():
        if label is None:
            break
        labels.append(label)
        if stops_at_error and not label:
            break
    return labels
