"""Solutions with a label per step, as TRL's PRM trainer reads them.

TRL appends the separator to every step, so it is removed here. TRL's labels are true or false, so
a solution ends before its first step without a label, unless the config keeps such steps.
"""

from collections.abc import Iterable, Iterator, Sequence

from schemas.dataset_export.builders import StepwiseConfig
from schemas.training_rows import StepwiseRow
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.solved import Solution, SolvedProblem


def build(source: CheckedSource, config: StepwiseConfig) -> Iterator[StepwiseRow]:
    """Labelled solutions, at most `per_problem` of each problem."""
    keeps = config.unlabelled == "keep"
    return stepwise_rows(
        source,
        source.labelled(with_unlabelled=keeps, as_sampled=config.order == "sampled"),
        stops_at_error=config.after_first_error == "drop",
        per_problem=config.per_problem,
        keeps_unlabelled=keeps,
    )


def stepwise_rows(
    source: CheckedSource,
    problems: Iterable[SolvedProblem],
    *,
    stops_at_error: bool,
    per_problem: int | None,
    keeps_unlabelled: bool = False,
    reason: str | None = None,
) -> Iterator[StepwiseRow]:
    """A row for each of the first solutions of these problems that have a labelled step."""
    for problem in problems:
        usable = [
            (s, labels_of(s, stops_at_error, keeps_unlabelled=keeps_unlabelled))
            for s in problem.solutions
        ]
        usable = [(solution, labels) for solution, labels in usable if labels]
        for solution, labels in usable[:per_problem]:
            yield StepwiseRow(
                prompt=source.build_prompt(problem),
                completions=tuple(
                    step.removesuffix(source.prompt_format.separator)
                    for step in take(solution.steps, len(labels))
                ),
                completions_ids=solution.step_ids and take(solution.step_ids, len(labels)),
                vocabulary=solution.vocabulary,
                labels=tuple(labels),
                soft=tuple(take(solution.soft or (None,) * len(labels), len(labels))),
                correct=solution.correct,
                source_ids=solution.ids,
                problem_id=problem.problem_id,
                source=problem.source,
                level=problem.level,
                weight=1.0,
                reason=reason or f"labels by {source.method}",
            )


def labels_of(
    solution: Solution, stops_at_error: bool, *, keeps_unlabelled: bool = False
) -> Sequence[bool | None]:
    """Labels of the first steps, up to the first step without one, or on request the first error.

    If unlabelled steps are kept, their label is None; a solution without any label whose answer
    was not graded is still left out.
    """
    known = solution.labels or ()
    if keeps_unlabelled and solution.correct is None and not any(v is not None for v in known):
        return ()
    labels: list[bool | None] = []
    for label in known:
        if label is None and not keeps_unlabelled:
            break
        labels.append(label)
        if stops_at_error and label is False:
            break
    return labels
