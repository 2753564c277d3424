"""Right second attempts at wrong solutions (arXiv:2411.16579, section 4, and its released code).

(question → second attempt) always; (question, wrong attempt, critique → second attempt) by a
switch; right first attempts by another, so that hard problems, which have few, get second ones. A
second attempt counts if it is right, no copy of the first, and no shortcut: the released filter
rejects one with fewer numbers than min(numbers in a right solution, numbers in the first attempt)
minus two. Deviations: without a worked solution, the right solution with the fewest numbers is
compared; second attempts after a critique that gives the answer away are left out.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from schemas.dataset_export.critique_builders import RefinementBuilderConfig
from schemas.training_rows import CompletionRow
from tasks.critics.asking import ask_actor
from tasks.dataset_export.critiqued import (
    CritiquedProblem,
    CritiquedSolution,
    WrittenCritique,
    critique_fault,
)
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.rows import after_prompt, completion_row, end_alike
from tasks.dataset_export.solved import Solution

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Refined(NamedTuple):
    """A second attempt that counts, and what it came from."""

    first: CritiquedSolution
    critique: WrittenCritique
    second: Solution


def build(source: CheckedSource, config: RefinementBuilderConfig) -> Iterator[CompletionRow]:
    """Rows of one problem after another: first attempts, second ones, those with critiques."""
    for critiqued in source.critiqued(with_others=True, with_faulty=True):
        refined = find_refined(source, critiqued, config)
        yield from _plain_rows(source, critiqued, refined, config)
        if config.with_critique:
            yield from _critique_rows(source, critiqued, refined, config)


def find_refined(
    source: CheckedSource, critiqued: CritiquedProblem, config: RefinementBuilderConfig
) -> list[Refined]:
    """A problem's second attempts that count; those that are right but do not are counted."""
    num_in_right = _fewest_numbers(source, critiqued)
    found = []
    for first in critiqued.solutions:
        if first.solution.correct is not False:
            continue
        for critique in first.critiques:
            for second in critique.attempts.right:
                refined = Refined(first, critique, second)
                if (reason := _fault(source, refined, num_in_right, config)) is None:
                    found.append(refined)
                else:
                    source.left_out[reason] += 1
    return found


def _plain_rows(
    source: CheckedSource,
    critiqued: CritiquedProblem,
    refined: Sequence[Refined],
    config: RefinementBuilderConfig,
) -> Iterator[CompletionRow]:
    """From the question: the distinct right solutions, first attempts before second ones."""
    problem = critiqued.problem
    prompt = source.build_prompt(problem)
    samples = problem.right if config.with_samples else []
    seconds = {each.second.trajectory_id: each for each in refined}
    distinct = source.checker.clean_solutions([*samples, *(each.second for each in refined)])
    for solution in take(distinct, config.per_problem):
        origin = seconds.get(solution.trajectory_id)
        if origin is None:
            yield completion_row(source, problem, solution, "right first attempt")
        else:
            sampled_after = _actor_prompt(source, critiqued, origin, config)
            yield _row(critiqued, origin, prompt, sampled_after, "right second attempt")


def _critique_rows(
    source: CheckedSource,
    critiqued: CritiquedProblem,
    refined: Sequence[Refined],
    config: RefinementBuilderConfig,
) -> Iterator[CompletionRow]:
    """From question, wrong attempt and critique: those whose critique says what is wrong."""
    rows: dict[tuple[str, str], CompletionRow] = {}
    for each in refined:
        if critique_fault(each.critique.row) is not None or each.critique.row.verdict is not False:
            source.left_out["critique_without_the_error"] += 1
            continue
        prompt = _actor_prompt(source, critiqued, each, config)
        row = _row(critiqued, each, prompt, prompt, "right after a critique of a wrong attempt")
        rows.setdefault((prompt, row.completion.strip()), row)
    yield from take(list(rows.values()), config.per_problem)


def _row(
    critiqued: CritiquedProblem, refined: Refined, prompt: str, sampled_after: str, reason: str
) -> CompletionRow:
    """A second attempt after a prompt, and whether its sampled tokens fit there."""
    problem, second = critiqued.problem, refined.second
    fits = end_alike(prompt, sampled_after)
    return CompletionRow(
        prompt=prompt,
        completion=second.text if fits else after_prompt(second.text, prompt),
        completion_ids=second.token_ids if fits else None,
        vocabulary=second.vocabulary if fits else None,
        source_ids=(*second.ids, *refined.first.solution.ids, refined.critique.row.critique_id),
        problem_id=problem.problem_id,
        source=problem.source,
        level=problem.level,
        weight=1.0,
        reason=reason,
    )


def _actor_prompt(
    source: CheckedSource,
    critiqued: CritiquedProblem,
    refined: Refined,
    config: RefinementBuilderConfig,
) -> str:
    """What the actor read before it tried again."""
    assert config.format is not None
    assert source.critic is not None
    said = source.critic.spoken(refined.critique.row)
    question = critiqued.problem.question
    return source.prompt_format.build(ask_actor(config.format, question, refined.first.shown, said))


def _fewest_numbers(source: CheckedSource, critiqued: CritiquedProblem) -> int | None:
    """Numbers of the worked solution, or of the right one with the fewest; None without either."""
    if critiqued.worked is not None:
        return _count_numbers(critiqued.worked)
    texts = source.prompt_format.answers(each.text for each in critiqued.problem.right)
    return min(map(_count_numbers, texts), default=None)


def _fault(
    source: CheckedSource,
    refined: Refined,
    num_in_right: int | None,
    config: RefinementBuilderConfig,
) -> str | None:
    """Why a right second attempt does not count; None if it does."""
    first = "\n".join(refined.first.shown.steps)
    (second,) = source.prompt_format.answers([refined.second.text])
    if first.split() == second.split():
        return "copy_of_first_attempt"
    if config.shortcut_slack is None:
        return None
    num_first = _count_numbers(first)
    num_needed = num_first if num_in_right is None else min(num_in_right, num_first)
    is_shortcut = _count_numbers(second) < num_needed - config.shortcut_slack
    return "shortcut" if is_shortcut else None


def _count_numbers(text: str) -> int:
    return len(_NUMBER.findall(text))
