import math

import numpy as np
import pytest

from flows.pages.coverage_plots import plot_coverage
from schemas.evaluation import EvaluationConfig
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.solutions.figures import solution_figures

CONFIG = EvaluationConfig(budgets=(1, 4), num_bootstrap=200, coverage_law=True)


def problem(index, correct):
    num = len(correct)
    return Candidates(
        problem_id=f"p{index}",
        classes=tuple(None if ok is None else int(not ok) for ok in correct),
        correct=tuple(correct),
        status=("finished",) * num,
        logprobs=(None,) * num,
        num_tokens=(1,) * num,
        scores=(None,) * num,
        scored_tokens=(0,) * num,
    )


def figures(candidates, config=CONFIG):
    rows = solution_figures(candidates, config, policy="policy", verifier=None)
    return rows, {(row.metric, row.budget): row for row in rows if row.metric.startswith("cov")}


def test_coverage_is_pass_at_k_and_the_law_goes_through_two_points_exactly():
    """One of two problems is solved by every second of two draws, the other by none."""
    candidates = [problem(0, [True, False]), problem(1, [False, False])]
    _, found = figures(candidates)
    assert set(found) == {
        ("coverage", 1), ("coverage", 2),
        ("coverage_a", 2), ("coverage_b", 2), ("coverage_error", 2),
    }  # fmt: skip
    assert found["coverage", 1].value == pytest.approx(0.25)
    assert found["coverage", 2].value == pytest.approx(0.5)
    assert found["coverage_error", 2].value < 1e-6
    assert found["coverage_a", 2].value == pytest.approx(math.log(0.25), abs=1e-6)
    assert found["coverage_b", 2].value == pytest.approx(-1, abs=1e-6)
    assert found["coverage_a", 2].num_problems == 2


def test_the_law_of_many_problems_has_intervals_that_hold_it(tmp_path):
    rng = np.random.default_rng(0)
    shares = rng.beta(0.6, 2.0, 150)
    candidates = [problem(i, (rng.random(32) < p).tolist()) for i, p in enumerate(shares)]
    rows, found = figures(candidates)
    assert [k for metric, k in found if metric == "coverage"] == [1, 2, 4, 8, 16, 32]
    for name in ("coverage_a", "coverage_b"):
        row = found[name, 32]
        assert row.ci_low < row.value < row.ci_high < 0  # type: ignore
    assert found["coverage_error", 32].value < 0.05
    plot_coverage(rows, tmp_path / "coverage.png", names={"policy": "small"})
    assert (tmp_path / "coverage.png").read_bytes().startswith(b"\x89PNG")


def test_ungraded_rows_do_not_count_and_problems_with_too_few_are_left_out():
    candidates = [
        problem(0, [True, None, False, False, True]),
        problem(1, [None, None, None, True, True]),
        problem(2, [False, True, False, False, False]),
    ]
    _, found = figures(candidates)
    assert found["coverage", 4].num_problems == 2
    assert found["coverage", 1].value == pytest.approx((2 / 4 + 1 / 5) / 2)


def test_nothing_solved_has_coverage_without_a_law():
    _, found = figures([problem(0, [False] * 4)])
    assert set(found) == {("coverage", 1), ("coverage", 2), ("coverage", 4)}
    _, none = figures([problem(0, [True])])
    assert none == {}


def test_the_law_is_fitted_on_request_alone():
    plain = EvaluationConfig(budgets=(1, 4), num_bootstrap=200)
    candidates = [problem(0, [True, False, True, False]), problem(1, [False] * 4)]
    rows, found = figures(candidates, plain)
    assert found == {}
    asked, _ = figures(candidates)
    assert asked[: len(rows)] == rows


def test_a_picture_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected coverage, got none among 0 figures"):
        plot_coverage([], tmp_path / "none.png")
