"""Critiques to learn from: question and solution, then the critique (arXiv:2411.16579, section 3).

The prompt is the critic's, without the key that its teacher may have been given. A critique of a
wrong solution can be required to help: at least `min_solved` of the second attempts with it are
right (the published filter, there 3 of 10). Critiques of right solutions are kept as the other
class. Deviation: which share of all rows they are can be bounded.
"""

from collections.abc import Iterator

from schemas.dataset_export.critique_builders import CritiqueBuilderConfig
from schemas.training_rows import CompletionRow
from tasks.critics.asking import ask_critic
from tasks.dataset_export.critiqued import CritiquedProblem, CritiquedSolution, WrittenCritique
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.rows import after_prompt, end_alike, is_over_share


def build(source: CheckedSource, config: CritiqueBuilderConfig) -> Iterator[CompletionRow]:
    """A row per critique, those of a problem's wrong solutions before those of its right ones."""
    num_wrong = num_right = 0
    for critiqued in source.critiqued(with_faulty=not config.faultless):
        rows = [
            (solution, critique)
            for solution in sorted(critiqued.solutions, key=lambda s: bool(s.solution.correct))
            for critique in take(_pass(source, solution, config), config.per_solution)
        ]
        for solution, critique in take(rows, config.per_problem):
            is_right = bool(solution.solution.correct)
            if is_right and is_over_share(num_right + 1, num_wrong, config.right_share):
                source.left_out["over_right_share"] += 1
                continue
            num_right += is_right
            num_wrong += not is_right
            yield critique_row(source, critiqued, solution, critique, config)


def critique_row(
    source: CheckedSource,
    critiqued: CritiquedProblem,
    solution: CritiquedSolution,
    critique: WrittenCritique,
    config: CritiqueBuilderConfig,
) -> CompletionRow:
    """A critique after the prompt that asks for it without a key."""
    assert config.format is not None
    assert source.critic is not None
    problem, row = critiqued.problem, critique.row
    prompt = source.prompt_format.build(ask_critic(config.format, problem.question, solution.shown))
    # Ids fit the end of the prompt that they were sampled after.
    has_ids = row.token_ids is not None and end_alike(prompt, source.critic.prompt_end)
    return CompletionRow(
        prompt=prompt,
        completion=row.text if row.generated_tokens else after_prompt(row.text, prompt),
        completion_ids=row.token_ids if has_ids else None,
        vocabulary=row.vocabulary if has_ids else None,
        source_ids=(*solution.solution.ids, row.critique_id),
        problem_id=problem.problem_id,
        source=problem.source,
        level=problem.level,
        weight=1.0,
        reason=_reason(solution, critique),
    )


def _pass(
    source: CheckedSource, solution: CritiquedSolution, config: CritiqueBuilderConfig
) -> list[WrittenCritique]:
    """The critiques of a solution that pass the filters; the others are counted."""
    passed = []
    for critique in solution.critiques:
        if (reason := _find_reason_against(solution, critique, config)) is None:
            passed.append(critique)
        else:
            source.critiques_left_out[reason] += 1
    return passed


def _find_reason_against(
    solution: CritiquedSolution, critique: WrittenCritique, config: CritiqueBuilderConfig
) -> str | None:
    is_right = solution.solution.correct
    if is_right is None:
        return "ungraded_solution"
    if config.verdict_agrees and critique.row.verdict is not is_right:
        return "verdict_against_grade"
    if is_right or config.min_solved is None:
        return None
    attempts = critique.attempts
    if attempts.num_trials < config.min_trials:
        return "few_second_attempts"
    share = attempts.solved_share
    return "helps_too_seldom" if share is None or share < config.min_solved else None


def _reason(solution: CritiquedSolution, critique: WrittenCritique) -> str:
    about = "a right" if solution.solution.correct else "a wrong"
    attempts = critique.attempts
    words = f"critique of {about} solution by {critique.row.critic}"
    if attempts.num_trials:
        words += f", {attempts.num_solved} of {attempts.num_trials} second attempts right"
    return words
