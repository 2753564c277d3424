"""Improved attempts after a failed one, weighted by reward (RISE, arXiv:2407.18219).

Two turns of data: a policy's solution of a problem, and the best of its second attempts at it, all
drawn after the same feedback. Only the last turn of a chain is weighted, by exp(reward / T); the
set's loss averages over rows and is not divided by the weights (`average: rows` in `sft`). Attempts
that could not be graded have no reward: they improve nothing, and nothing improves them.
"""

from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from schemas.dataset_export.turn_builders import RiseConfig
from schemas.training_rows import CompletionRow
from tasks.dataset_export.critiqued import CritiquedProblem, CritiquedSolution
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.rows import completion_row
from tasks.dataset_export.solved import Solution
from tasks.prompts.attempts import ask_again


class Improved(NamedTuple):
    """A solution and the best of the second attempts at it."""

    first: CritiquedSolution
    better: Solution
    gain: float
    """Its reward minus that of the first attempt."""
    reward: float


def build(source: CheckedSource, config: RiseConfig) -> Iterator[CompletionRow]:
    """Rows of first attempts, and of the second ones that improve them."""
    for problem in source.critiqued(with_others=True):
        for each in take(problem.solutions, config.per_problem):
            if config.criteria != "success" or each.solution.correct:
                yield completion_row(source, problem.problem, each.solution, "first attempt")
        for improved in take(improvements(problem, config), config.per_problem):
            yield _row(source, problem, improved, config)


def improvements(problem: CritiquedProblem, config: RiseConfig) -> list[Improved]:
    """The second attempts that the criteria keep, in the order of their first attempts."""
    found = []
    for each in problem.solutions:
        before = reward_of(each.solution, config)
        graded = [
            (reward, attempt)
            for attempt in each.retries.solutions
            if (reward := reward_of(attempt, config)) is not None
        ]
        if before is None or not graded:
            continue
        reward, better = max(graded, key=itemgetter(0))
        found.append(Improved(each, better, reward - before, reward))
    return [each for each in found if _is_kept(each, config)]


def reward_of(solution: Solution, config: RiseConfig) -> float | None:
    """1 for a right answer, 0 for a wrong one, `unparsable` without one; None if not graded."""
    if solution.correct is None:
        return None
    if solution.correct:
        return 1.0
    return 0.0 if solution.answer is not None else config.unparsable


def _is_kept(each: Improved, config: RiseConfig) -> bool:
    if config.criteria == "success":
        return each.reward == 1.0
    if config.criteria == "better":
        return each.gain > 0
    return config.criteria == "all" or each.gain >= 0


def _row(
    source: CheckedSource, problem: CritiquedProblem, improved: Improved, config: RiseConfig
) -> CompletionRow:
    better = improved.better
    asked = ask_again(
        problem.problem.question,
        ["\n".join(improved.first.shown.steps)],
        template=config.template,
        joiner=config.joiner,
    )
    return CompletionRow(
        prompt=source.prompt_format.build(asked),
        completion=better.text,
        completion_ids=better.token_ids,
        vocabulary=better.vocabulary,
        source_ids=(*better.ids, *improved.first.solution.ids),
        problem_id=problem.problem.problem_id,
        source=problem.problem.source,
        level=problem.problem.level,
        weight=config.weight(improved.reward),
        reason=f"reward {improved.reward:g} after {improved.reward - improved.gain:g}",
    )
