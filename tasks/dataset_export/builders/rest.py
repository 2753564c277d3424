"""ReST: solutions above a threshold that rises with every improve step (arXiv:2308.08998).

Several improve steps use the same samples, each with a higher threshold than the last. Original
data is mixed in up to its share of all rows. With a binary reward, every threshold in (0, 1) is the
same filter, so grades need none. Deviation: a score equal to the threshold passes.
"""

from collections.abc import Iterator
from itertools import islice

from schemas.dataset_export.builders import RestConfig
from schemas.training_rows import CompletionRow
from tasks.dataset_export.read import CheckedSource, best_scored, take
from tasks.dataset_export.rows import completion_row
from tasks.dataset_export.solved import Solution


def build(source: CheckedSource, config: RestConfig) -> Iterator[CompletionRow]:
    """Solutions that pass the threshold of this improve step, then the original data."""
    min_score, num_rows = source.min_score, 0
    for problem in source.solved("right" if config.only_right else "any", min_score=min_score):
        solutions = problem.solutions if min_score is None else best_scored(problem.solutions)
        for solution in take(solutions, config.per_problem):
            num_rows += 1
            yield completion_row(source, problem, solution, _reason(solution, config, min_score))
    num_mixed = round(num_rows * config.mix_in / (1 - config.mix_in))
    for problem in islice(source.originals(), num_mixed):
        (solution,) = problem.solutions
        yield completion_row(source, problem, solution, "original data", weight=config.mix_weight)


def _reason(solution: Solution, config: RestConfig, min_score: float | None) -> str:
    right = "right answer" if config.only_right else ""
    if min_score is None:
        return right or "unfiltered"
    passed = f"score {solution.score:.4f}, at least {min_score:.4f}"
    return f"{right}, {passed}" if right else passed
