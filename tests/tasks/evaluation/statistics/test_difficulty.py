from collections import Counter

from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.statistics.difficulty import (
    assign_levels,
    model_solve_rate,
    oracle_solve_rate,
)


def test_distinct_values_fall_into_fifths_easiest_first():
    assert assign_levels([0.9, 0.1, 0.5, 0.3, 0.7]) == [1, 5, 3, 4, 2]


def test_ties_share_a_level_as_in_the_paper():
    # 500 problems; the five after rank 400 are as easy as some before it.
    solve_rates = (
        [1 - i / 1000 for i in range(392)] + [0.4] * 13 + [0.3 - i / 1000 for i in range(95)]
    )
    sizes = Counter(assign_levels(solve_rates))
    assert [sizes[level] for level in range(1, 6)] == [100, 100, 100, 105, 95]


def test_equal_problems_are_all_easiest_and_unknown_ones_have_no_level():
    assert assign_levels([0.5, None, 0.5]) == [1, None, 1]
    assert assign_levels([]) == []
    assert assign_levels([None]) == [None]


def test_ease_of_a_problem():
    problem = Candidates(
        problem_id="p",
        classes=(0, 1, None, 1),
        correct=(True, False, None, None),
        status=("finished", "finished", "truncated", "finished"),
        logprobs=(None,) * 4,
        num_tokens=(5,) * 4,
        scores=((0.9, 0.8), (0.4,), None, (1.0,)),
        scored_tokens=(5,) * 4,
    )
    # The truncated row is wrong; the ungraded one is not a candidate.
    assert oracle_solve_rate(problem) == 1 / 3
    assert model_solve_rate(problem) == (0.8 + 0.4) / 2


def test_ease_without_candidates_is_unknown():
    empty = Candidates(
        problem_id="p",
        classes=(),
        correct=(),
        status=(),
        logprobs=(),
        num_tokens=(),
        scores=(),
        scored_tokens=(),
    )
    assert oracle_solve_rate(empty) is None
    assert model_solve_rate(empty) is None
