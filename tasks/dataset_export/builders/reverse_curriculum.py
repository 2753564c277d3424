"""Start states of a reverse curriculum, cut from right solutions (R3, arXiv:2402.05808).

A state is the question and the first steps of a right solution; a policy is rewarded for reaching
the answer from there. Stage m of M leaves the last ceil(K m / M) of K steps to go. A prefix that
already gives the answer is left out, as it leaves nothing to learn.
"""

from collections.abc import Iterator
from itertools import chain

from schemas.dataset_export.state_builders import ReverseCurriculumConfig
from schemas.training_rows import PromptRow
from tasks.dataset_export.read import CheckedSource, take


def build(source: CheckedSource, config: ReverseCurriculumConfig) -> Iterator[PromptRow]:
    """A row per start state; the stages get their shares once all rows are known."""
    for problem in source.solved("right"):
        for solution in take(problem.solutions, config.per_problem):
            ids = solution.step_ids
            for steps_to_go, stage in cut_points(len(solution.steps), config):
                num_given = len(solution.steps) - steps_to_go
                prefix = "".join(solution.steps[:num_given])
                if source.checker.leaks(prefix, problem.gold):
                    source.left_out["answer_in_prefix"] += 1
                    continue
                yield PromptRow(
                    prompt=source.build_prompt(problem),
                    answer=problem.gold,
                    prefix=prefix,
                    prefix_ids=None if ids is None else list(chain(*ids[:num_given])),
                    vocabulary=None if ids is None else solution.vocabulary,
                    stage=stage,
                    steps_to_go=steps_to_go,
                    source_ids=solution.ids,
                    problem_id=problem.problem_id,
                    source=problem.source,
                    level=problem.level,
                    weight=1.0,
                    reason=f"stage {stage} of {config.num_stages}, from a right solution",
                )


def cut_points(num_steps: int, config: ReverseCurriculumConfig) -> list[tuple[int, int]]:
    """Steps to go and stage of each start state of a solution, the easiest first.

    Stages of a short solution that coincide give one state, with the highest of them; a stage that
    is chosen on its own always gives a state.
    """
    if config.stage is not None:
        return [(_steps_to_go(num_steps, config.stage, config.num_stages), config.stage)]
    stages = range(1, config.num_stages + 1)
    highest = {_steps_to_go(num_steps, stage, config.num_stages): stage for stage in stages}
    return list(highest.items())


def _steps_to_go(num_steps: int, stage: int, num_stages: int) -> int:
    return -(-num_steps * stage // num_stages)
