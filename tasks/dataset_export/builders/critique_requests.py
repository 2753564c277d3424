"""Requests for critiques: question and solution, for a critic that is trained by what follows.

The critic writes the critique, which is then rewarded by the second attempts that it leads to (the
reward `refinement`, CTRL, arXiv:2502.03492). No stored critique is needed.
"""

from collections.abc import Iterator

from schemas.dataset_export.critique_builders import CritiqueRequestsBuilderConfig
from schemas.training_rows import PromptRow
from tasks.critics.asking import ask_critic
from tasks.dataset_export.critiqued import CritiquedProblem, CritiquedSolution
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.rows import is_over_share

_ONLY_STAGE = 1


def build(source: CheckedSource, config: CritiqueRequestsBuilderConfig) -> Iterator[PromptRow]:
    """A row per graded solution, a problem's wrong ones before its right ones."""
    num_wrong = num_right = 0
    for critiqued in source.critiqued(with_others=True, with_faulty=True):
        graded = [s for s in critiqued.solutions if s.solution.correct is not None]
        if config.which != "all":
            graded = [s for s in graded if s.solution.correct is (config.which == "right")]
        graded.sort(key=lambda each: bool(each.solution.correct))
        for solution in take(graded, config.per_problem):
            is_right = bool(solution.solution.correct)
            if is_right and is_over_share(num_right + 1, num_wrong, config.right_share):
                source.left_out["over_right_share"] += 1
                continue
            num_right += is_right
            num_wrong += not is_right
            yield _request(source, critiqued, solution, config)


def _request(
    source: CheckedSource,
    critiqued: CritiquedProblem,
    solution: CritiquedSolution,
    config: CritiqueRequestsBuilderConfig,
) -> PromptRow:
    assert config.format is not None
    problem = critiqued.problem
    asked = ask_critic(config.format, problem.question, solution.shown)
    return PromptRow(
        prompt=source.prompt_format.build(asked),
        answer=problem.gold,
        prefix="",
        stage=_ONLY_STAGE,
        steps_to_go=0,
        question=problem.question,
        attempt=solution.shown.steps,
        source_ids=solution.solution.ids,
        problem_id=problem.problem_id,
        source=problem.source,
        level=problem.level,
        weight=1.0,
        reason="a right solution" if solution.solution.correct else "a wrong solution",
    )
