"""ReST: solutions above a threshold that rises with every improve step (arXiv:2308.08998).

One sampled pool serves several improve steps, each with a higher threshold than the one before.
Original data is mixed in, as much as its share of all rows asks for. With a binary reward every
threshold in (0, 1) is the same filter, which is why a grade needs none. Deviation: a solution
passes that scores exactly the threshold.
"""

from collections.abc import Iterator
from itertools import islice

from schemas.dataset_export import RestConfig
from schemas.training_rows import CompletionRow
from tasks.dataset_export.read import CleanPool, best_scored, take
from tasks.dataset_export.rows import completion_row
from tasks.dataset_export.solved import Solution


def build_rest(
    pool: CleanPool, config: RestConfig, *, min_score: float | None
) -> Iterator[CompletionRow]:
    """What passes this improve step's threshold, then the original data.

    Args:
        pool: the solutions.
        config: the filter.
        min_score: the least score that passes; None where scores do not decide.
    """
    only_right = config.by == "grade" or config.right_only
    num_rows = 0
    for problem in pool.solved("right" if only_right else "any", min_score=min_score):
        solutions = problem.solutions if min_score is None else best_scored(problem.solutions)
        for solution in take(solutions, config.per_problem):
            num_rows += 1
            yield completion_row(pool, problem, solution, _reason(solution, config, min_score))
    num_mixed = round(num_rows * config.mix_in / (1 - config.mix_in))
    for problem in islice(pool.originals(), num_mixed):
        (solution,) = problem.solutions
        yield completion_row(pool, problem, solution, "original data", weight=config.mix_weight)


def _reason(solution: Solution, config: RestConfig, min_score: float | None) -> str:
    right = "right answer" if config.by == "grade" or config.right_only else ""
    if min_score is None:
        return right or "unfiltered"
    passed = f"score {solution.score:.4f}, at least {min_score:.4f}"
    return f"{right}, {passed}" if right else passed
