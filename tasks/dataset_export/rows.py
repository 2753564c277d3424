"""A solution, or a pair of them, as a row of a training set."""

from schemas.training_rows import CompletionRow, PreferenceRow
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.solved import Solution, SolvedProblem

_COMPARED_CHARS = 8


def completion_row(
    source: CheckedSource,
    problem: SolvedProblem,
    solution: Solution,
    reason: str,
    *,
    weight: float = 1.0,
) -> CompletionRow:
    """The problem's prompt and the whole solution."""
    return CompletionRow(
        prompt=source.build_prompt(problem),
        completion=solution.text,
        completion_ids=solution.token_ids,
        vocabulary=solution.vocabulary,
        source_ids=solution.ids,
        problem_id=problem.problem_id,
        source=problem.source,
        level=problem.level,
        weight=weight,
        reason=reason,
    )


def preference_row(
    source: CheckedSource, problem: SolvedProblem, better: Solution, worse: Solution, reason: str
) -> PreferenceRow:
    """The problem's prompt and two whole solutions."""
    same = better.vocabulary == worse.vocabulary
    return PreferenceRow(
        prompt=source.build_prompt(problem),
        chosen=better.text,
        rejected=worse.text,
        chosen_ids=better.token_ids if same else None,
        rejected_ids=worse.token_ids if same else None,
        vocabulary=better.vocabulary if same else None,
        source_ids=better.ids + worse.ids,
        problem_id=problem.problem_id,
        source=problem.source,
        level=problem.level,
        weight=1.0,
        reason=reason,
    )


def end_alike(one: str, other: str) -> bool:
    """Whether two prompts end alike, so that tokens sampled after one fit the other."""
    return one[-_COMPARED_CHARS:] == other[-_COMPARED_CHARS:] or (
        one[-1:] == other[-1:] and one[-1:].isspace()
    )


def after_prompt(text: str, prompt: str) -> str:
    """A text as it follows a prompt that it was not sampled after."""
    text = text.lstrip()
    return text if not prompt or prompt[-1].isspace() else f" {text}"


def is_over_share(num: int, num_others: int, max_share: float | None) -> bool:
    """Whether so many rows of one kind, beside the others, are more than their maximum share."""
    return max_share is not None and num > max_share * (num + num_others)
