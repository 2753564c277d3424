"""Attempts of revision searches with their outcomes, the earlier attempts in their prompts.

A verifier of solutions alone meets another distribution when attempts follow attempts
(arXiv:2408.03314, appendix N): this set trains one that reads the history. The prompt is written as
the `revisions` search writes it, from the finished attempts before, the newest `context` of them.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from schemas.dataset_export.turn_builders import RevisionOutcomesConfig
from schemas.rows import Trajectory
from schemas.training_rows import StepwiseRow
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.solved import SolvedProblem
from tasks.prompts.attempts import ask_again
from tasks.steps.token_ids import step_ids


def build(source: CheckedSource, config: RevisionOutcomesConfig) -> Iterator[StepwiseRow]:
    """A row per graded attempt, at most `per_problem` of each problem."""
    for problem, searches in source.searched(config.searches):
        rows = (
            _row(source, problem, attempt, before, config)
            for search in searches
            if config.takes_search(search[0].strategy)
            for attempt, before in attempts_of(search)
        )
        yield from islice(rows, config.per_problem)


def attempts_of(rows: Sequence[Trajectory]) -> Iterator[tuple[Trajectory, list[Trajectory]]]:
    """The finished, graded attempts of a search, each with the finished ones before it.

    Args:
        rows: all rows of one search of one problem.
    """
    by_id = {row.trajectory_id: row for row in rows}
    for row in rows:
        if not _is_shown(row) or row.correct is None:
            continue
        before, parent = [], row.parent_id
        while parent is not None:
            before.append(by_id[parent])
            parent = by_id[parent].parent_id
        yield row, [each for each in reversed(before) if _is_shown(each)]


def _is_shown(row: Trajectory) -> bool:
    """Whether later attempts of the chain see this one."""
    return row.status == "finished" and bool(row.text.strip())


def _row(
    source: CheckedSource,
    problem: SolvedProblem,
    attempt: Trajectory,
    before: Sequence[Trajectory],
    config: RevisionOutcomesConfig,
) -> StepwiseRow:
    prompt_format = source.prompt_format
    shown = before[-config.context :]
    asked = ask_again(
        problem.question,
        prompt_format.answers(each.text for each in shown),
        template=config.template,
        joiner=config.joiner,
    )
    unlabelled = len(attempt.steps) - 1
    return StepwiseRow(
        prompt=prompt_format.build(asked),
        completions=tuple(
            step.text.removesuffix(prompt_format.separator) for step in attempt.steps
        ),
        completions_ids=step_ids(attempt),
        vocabulary=attempt.vocabulary,
        labels=(*(None,) * unlabelled, attempt.correct),
        soft=(None,) * len(attempt.steps),
        correct=attempt.correct,
        source_ids=(attempt.trajectory_id, *(each.trajectory_id for each in shown)),
        problem_id=problem.problem_id,
        source=problem.source,
        level=problem.level,
        weight=1.0,
        reason=f"{'right' if attempt.correct else 'wrong'} after {len(shown)} attempts",
    )
