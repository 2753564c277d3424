"""SCORE: a critique and then the correction, in one completion of a refiner (arXiv:2404.17140).

The prompt asks for a critique as a critic without a hint is asked. Wrong solutions come with the
critiques that pass the rules (`tasks.critics.feedback`) and with which the policy mended them, and
are corrected by that second attempt. Right solutions come with critiques that find every step
right, written by rule, and are repeated, so that every completion ends with an answer.
"""

from collections import deque
from collections.abc import Iterator

from schemas.critique_formats import CritiqueFormatConfig
from schemas.dataset_export.score_builders import ScoreConfig
from schemas.training_rows import CompletionRow
from tasks.critics.asking import ask_critic
from tasks.critics.feedback import Rejected, approve, clean_feedback
from tasks.dataset_export.critiqued import (
    CritiquedProblem,
    CritiquedSolution,
    WrittenCritique,
)
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.rows import after_prompt
from tasks.dataset_export.solved import Solution

_MOST_WAITING = 10_000
"""Rows about right solutions that wait for rows about wrong ones, at most."""


def build(source: CheckedSource, config: ScoreConfig) -> Iterator[CompletionRow]:
    """A row per mended solution, and rows of right ones in their share."""
    share = source.accuracy if config.right_share == "accuracy" else config.right_share
    waiting: deque[CompletionRow] = deque()
    num_wrong = num_right = 0
    for critiqued in source.critiqued(with_others=True, as_drawn=True):
        mended = list(take(list(_mended_rows(source, critiqued, config)), config.per_problem))
        yield from mended
        num_wrong += len(mended)
        right = [s for s in critiqued.solutions if s.solution.correct]
        waiting.extend(
            _row(source, critiqued, each, approve(_format(config), each.shown), None, config)
            for each in take(right, config.per_problem)
        )
        while len(waiting) > _MOST_WAITING:
            waiting.popleft()
            source.left_out["right_over_their_share"] += 1
        while waiting and _fits(num_right + 1, num_wrong, share):
            yield waiting.popleft()
            num_right += 1
    if waiting:
        source.left_out["right_over_their_share"] += len(waiting)


def _fits(num_right: int, num_wrong: int, share: float | None) -> bool:
    """Whether so many rows of right solutions are within their share."""
    return share is None or num_right <= share * (num_right + num_wrong)


def _mended_rows(
    source: CheckedSource, critiqued: CritiquedProblem, config: ScoreConfig
) -> Iterator[CompletionRow]:
    """The rows of a problem's wrong solutions; critiques that are left out are counted."""
    problem = critiqued.problem
    for solution in critiqued.solutions:
        if solution.solution.correct is not False:
            continue
        for critique in solution.critiques:
            try:
                text = clean_feedback(
                    critique.row,
                    solution.shown,
                    problem.gold,
                    problem.question,
                    _format(config),
                    demands_answer=config.demands_answer,
                )
                corrected = _correction(critique, config)
            except Rejected as rejection:
                source.critiques_left_out[str(rejection).replace(" ", "_")] += 1
                continue
            yield _row(source, critiqued, solution, text, (critique, corrected), config)


def _correction(critique: WrittenCritique, config: ScoreConfig) -> Solution:
    """The second attempt that a critique led to.

    Raises:
        Rejected: too few of them are right.
    """
    attempts = critique.attempts
    if not attempts.num_trials:
        raise Rejected("no second attempt")
    if attempts.num_solved < config.min_solved * attempts.num_trials or not attempts.right:
        raise Rejected("critique does not help")
    return attempts.right[0]


def _row(
    source: CheckedSource,
    critiqued: CritiquedProblem,
    solution: CritiquedSolution,
    text: str,
    mended: tuple[WrittenCritique, Solution] | None,
    config: ScoreConfig,
) -> CompletionRow:
    """A critique and the correction; without one the solution itself is repeated."""
    problem, first = critiqued.problem, solution.solution
    names, corrected, reason = first.ids, first.text, "a right solution, repeated"
    if mended is not None:
        critique, attempt = mended
        names = (*names, critique.row.critique_id, *attempt.ids)
        corrected = attempt.text
        reason = (
            f"mended with a critique, told {critique.row.told}: "
            f"{critique.attempts.num_solved} of {critique.attempts.num_trials} attempts right"
        )
    asked = ask_critic(_format(config), problem.question, solution.shown)
    prompt = source.prompt_format.build(asked)
    return CompletionRow(
        prompt=prompt,
        completion=after_prompt(text + config.written_joiner + corrected.strip(), prompt),
        source_ids=names,
        problem_id=problem.problem_id,
        source=problem.source,
        level=problem.level,
        weight=1.0,
        reason=reason,
    )


def _format(config: ScoreConfig) -> CritiqueFormatConfig:
    assert config.format is not None  # filled in when the set is planned
    return config.format
