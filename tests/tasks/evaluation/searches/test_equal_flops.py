"""Models of several sizes at equal operations, by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import Decision
from tasks.evaluation.searches.equal_flops import (
    ONE,
    SizedSearches,
    equal_flops_figures,
    flops_to_reach,
    one_sample,
)
from tasks.evaluation.searches.grid import build_grid

CONFIG = EvaluationConfig(num_bootstrap=200)


def decision(problem, budget, correct, *, policy="pol", strategy="best_of_n", **fields):
    values = {
        "set_name": "eval",
        "verifier": "ver",
        "pick": "weighted[min]",
        "is_main": True,
        "status": "decided",
        "trajectory_id": "t",
        "answer": "4",
        "num_candidates": budget,
        "num_finished": budget,
        "num_rows": budget,
        "prompt_tokens": 10,
        "cached_tokens": 0,
        "generated_tokens": 10 * budget,
        "scored_tokens": 0,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Decision(
        problem_id=problem,
        policy=policy,
        strategy=strategy,
        budget=budget,
        correct=correct,
        **{**values, **fields},
    )


@pytest.fixture
def problems(make_problem):
    return [make_problem(f"p{i}") for i in range(4)]


def sized(problems, name, parameters, solved, *, one, verifier=0, **fields):
    """A size; `solved` is the number of problems solved at each N, `one` that by one sample."""
    rows = [
        decision(problem.problem_id, budget, place < number, policy=name, **fields)
        for budget, number in solved.items()
        for place, problem in enumerate(problems)
    ]
    return SizedSearches(
        name=name,
        num_parameters=parameters,
        verifier_parameters=verifier,
        grid=build_grid(problems, rows),
        one_correct=np.full(len(problems), one / len(problems)),
        one_flops=np.full(len(problems), 2.0 * parameters * 20),
    )


def pick(rows, metric, **columns):
    found = [
        row
        for row in rows
        if row.metric == metric and all(getattr(row, name) == v for name, v in columns.items())
    ]
    assert len(found) == 1, found
    return found[0]


def test_operations_count_prompts_caches_and_the_verifier(problems):
    size = sized(
        problems, "small", 100, {4: 1}, one=1, verifier=300, cached_tokens=4, scored_tokens=7
    )
    assert size.flops().tolist() == [[2 * (100 * (10 - 4 + 40) + 300 * 7)]] * 4


def test_a_small_model_meets_a_large_one_where_its_curve_crosses(problems):
    """One sample: 4,000 operations; N = 4 takes 10,000, N = 16 34,000. The large one: 16,000."""
    small = sized(problems, "small", 100, {4: 2, 16: 4}, one=1)
    large = sized(problems, "large", 400, {4: 3}, one=2.4)
    rows = equal_flops_figures([small, large], CONFIG)
    share = np.log(16_000 / 10_000) / np.log(34_000 / 10_000)
    expected = 0.5 + 0.5 * share
    reached = pick(rows, "accuracy_at_equal_flops", budget=1)
    assert (reached.arm, reached.against, reached.strategy) == ("small", "large", "best_of_n")
    assert reached.value == pytest.approx(expected)
    gain = pick(rows, "gain_at_equal_flops", budget=1)
    assert gain.value == pytest.approx(expected - 0.6)
    assert gain.ci_low is not None
    met = pick(rows, "flops_to_meet")
    assert met.value == pytest.approx(10_000 * 3.4**0.2 / 16_000)
    assert pick(rows, "flops", arm="small", budget=4).value == 10_000
    assert pick(rows, "accuracy", arm="large", strategy=ONE).value == pytest.approx(0.6)


def test_search_against_search_at_every_budget_of_the_large_one(problems):
    """The large one at N = 4 takes 40,000 operations, at N = 1 16,000: the small one has more."""
    small = sized(problems, "small", 100, {4: 2, 16: 3, 64: 4}, one=1)
    large = sized(problems, "large", 400, {4: 4, 64: 4}, one=2)
    rows = equal_flops_figures([small, large], CONFIG)
    gain = pick(rows, "gain_at_equal_flops", budget=4)
    between = np.log(40_000 / 34_000) / np.log(130_000 / 34_000)
    assert gain.value == pytest.approx(0.75 + 0.25 * between - 1)
    # At the large one's N = 64 the small one's curve has ended.
    assert not [r for r in rows if r.metric == "gain_at_equal_flops" and r.budget == 64]


def test_exchange_of_pretraining_gives_the_small_model_more(problems):
    """M = 4; R = 1: it may spend 4 + 3 x 3 = 13 times 4,000 operations, R = 9 allows 5 times."""
    small = sized(problems, "small", 100, {4: 2, 16: 4, 64: 4}, one=1)
    large = sized(problems, "large", 400, {4: 3}, one=2)
    rows = equal_flops_figures([small, large], CONFIG, inference_shares=(1, 9, 0.01))
    assert pick(rows, "multiplier", bin="inference_per_pretraining=1").value == 13
    assert pick(rows, "multiplier", bin="inference_per_pretraining=9").value == 5
    assert pick(rows, "gain_at_equal_total", bin="inference_per_pretraining=1").value == (
        pytest.approx(0.5)
    )
    share = np.log(20_000 / 10_000) / np.log(34_000 / 10_000)
    assert pick(rows, "accuracy_at_equal_total", bin="inference_per_pretraining=9").value == (
        pytest.approx(0.5 + 0.5 * share)
    )
    # 4 + 300 x 3 times is more than any search took.
    far = [row.metric for row in rows if row.bin == "inference_per_pretraining=0.01"]
    assert far == ["multiplier"]


def test_a_model_that_never_reaches_the_large_one_meets_it_nowhere(problems):
    small = sized(problems, "small", 100, {4: 1}, one=0)
    large = sized(problems, "large", 200, {4: 3}, one=3)
    rows = equal_flops_figures([small, large], CONFIG)
    assert not [row for row in rows if row.metric == "flops_to_meet"]


def test_where_a_curve_reaches_a_level():
    flops, accuracies = [100.0, 1000.0, 10.0], [0.4, 0.6, 0.2]
    assert flops_to_reach(flops, accuracies, 0.1) == 10
    assert flops_to_reach(flops, accuracies, 0.3) == pytest.approx(10**1.5)
    assert flops_to_reach(flops, accuracies, 0.6) == 1000
    assert flops_to_reach(flops, accuracies, 0.7) == float("inf")


def test_one_sample_is_the_mean_of_all_and_reads_the_prompt_once(problems, make_trajectory):
    samples = [
        make_trajectory("a", problem_id="p0", correct=True, prompt_tokens=10, generated_tokens=4),
        make_trajectory("b", problem_id="p0", correct=False, prompt_tokens=0, generated_tokens=8),
        make_trajectory(
            "c", problem_id="p1", correct=None, answer=None, status="truncated",
            prompt_tokens=10, generated_tokens=2,
        ),
        make_trajectory("d", problem_id="p2", correct=None, prompt_tokens=9, generated_tokens=1),
    ]  # fmt: skip
    correct, flops = one_sample(problems, samples, 50)
    assert correct[:2].tolist() == [0.5, 0.0]
    assert np.isnan(correct[2:]).all()
    assert flops[:3].tolist() == [2 * 50 * 16, 2 * 50 * 12, 2 * 50 * 10]
    assert np.isnan(flops[3])


def test_refuses_sizes_that_cannot_be_compared(problems, make_problem):
    small, large = (sized(problems, n, p, {4: 1}, one=1) for n, p in (("s", 100), ("l", 400)))
    with pytest.raises(ValueError, match="at least two sizes to compare, got 1"):
        equal_flops_figures([small], CONFIG)
    with pytest.raises(ValueError, match="got l with 400 before s with 100"):
        equal_flops_figures([large, small], CONFIG)
    other = sized([make_problem("q")], "l", 400, {4: 1}, one=1)
    with pytest.raises(ValueError, match="expected s and l to search the same problems, got 4 and"):
        equal_flops_figures([small, other], CONFIG)
