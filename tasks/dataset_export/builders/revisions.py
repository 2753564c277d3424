"""Revision chains: wrong attempts in the prompt, the right one to learn (arXiv:2408.03314, 6.1).

The number of wrong attempts is drawn uniformly from zero to four, or to the number that exists if
that is less. The last of them is the nearest to the right one by character edit distance, so that
it can be corrected; the others are random. The prompt is written as the `revisions` search writes
it. Known negative result: data from a revising policy's own chains made it worse (appendix P).
"""

import random
from collections.abc import Iterator, Sequence

from schemas.dataset_export.builders import RevisionChainsConfig
from schemas.training_rows import CompletionRow
from schemas.units import derive_seed
from tasks.dataset_export.nearest import find_nearest
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.solved import Solution
from tasks.prompts.attempts import ask_again


def build(source: CheckedSource, config: RevisionChainsConfig) -> Iterator[CompletionRow]:
    """A row per right solution, with the attempts before it in its prompt."""
    for problem in source.solved("graded"):
        rng = random.Random(derive_seed("revisions", source.seed, problem.problem_id))
        wrong = problem.wrong
        for solution in take(problem.right, config.per_problem):
            num_wrong = rng.randint(0, min(config.max_wrong, len(wrong)))
            attempts, distance = choose_attempts(solution, wrong, num_wrong, rng)
            reason = "right at the first attempt"
            asked = ask_again(
                problem.question,
                [attempt.text for attempt in attempts],
                template=config.template,
                joiner=config.joiner,
            )
            if attempts:
                reason = f"right after {num_wrong} wrong, the last at edit distance {distance}"
            yield CompletionRow(
                prompt=source.prompt_format.build(asked),
                completion=solution.text,
                completion_ids=solution.token_ids,
                vocabulary=solution.vocabulary,
                source_ids=tuple(name for each in (*attempts, solution) for name in each.ids),
                problem_id=problem.problem_id,
                source=problem.source,
                level=problem.level,
                weight=1.0,
                reason=reason,
            )


def choose_attempts(
    right: Solution, wrong: Sequence[Solution], num: int, rng: random.Random
) -> tuple[list[Solution], int | None]:
    """`num` wrong attempts, the nearest to the right one last; also its edit distance."""
    if num == 0:
        return [], None
    index, distance = find_nearest(right.text, [solution.text for solution in wrong])
    others = [*wrong[:index], *wrong[index + 1 :]]
    return [*rng.sample(others, num - 1), wrong[index]], distance
