import math

import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import Step, StepScores
from tasks.evaluation.solutions.verifier_quality import (
    UP_TO_FIRST_ERROR,
    calibration_table,
    measure_verifier,
    references,
)
from tasks.evaluation.statistics.intervals import wilson_interval

CONFIG = EvaluationConfig(num_bootstrap=200, num_calibration_bins=2)


def scored(trajectory_id: str, *scores: float, error: str | None = None) -> StepScores:
    return StepScores(
        trajectory_id=trajectory_id,
        verifier="v",
        scores=scores,
        scored_tokens=1,
        cached_tokens=0,
        error=error,
    )


@pytest.fixture
def solution(make_trajectory):
    def make(name: str, num_steps: int, problem_id: str = "p0"):
        steps = tuple(Step(text=f"{i}\n", num_tokens=1) for i in range(num_steps))
        return make_trajectory(name, problem_id=problem_id, steps=steps)

    return make


def measure(solutions, scores, truth, **fields):
    return measure_verifier(solutions, scores, truth, CONFIG, policy="p", verifier="v", **fields)


def values(rows, metric):
    return {row.bin: row.value for row in rows if row.metric == metric}


def test_step_figures_by_hand(solution):
    """Right steps score .9, .6; wrong ones .7 (a first error) and .2 (after it); one is unknown."""
    rows = measure(
        [solution("a", 3), solution("b", 2, "p1"), solution("c", 1, "p2"), solution("d", 1, "p3")],
        [scored("a", 0.9, 0.7, 0.2), scored("b", 0.6, 0.1), scored("c", error="too long")],
        {"a": ("ok", "wrong_op", "after"), "b": ("ok", None), "c": ("ok",), "d": ("ok",)},
    )
    assert values(rows, "step_auc") == {"all": 3 / 4, UP_TO_FIRST_ERROR: 1 / 2}
    loss = -(math.log(0.9) + math.log(0.6) + math.log(0.3) + math.log(0.8)) / 4
    assert values(rows, "step_log_loss")["all"] == pytest.approx(loss)
    # Below .5 one wrong step at .2; above, mean score .7333 and two of three right.
    error = (0.2 + 3 * (2.2 / 3 - 2 / 3)) / 4
    assert values(rows, "step_calibration_error")["all"] == pytest.approx(error)
    assert values(rows, "num_steps") == {"score=0.000-0.500": 1, "score=0.500-1.000": 3}
    assert {(row.policy, row.verifier, row.strategy, row.against) for row in rows} == {
        ("p", "v", "step_scores", "checker")
    }


def test_kinds_of_errors_with_enough_steps_have_an_auc_of_their_own(solution):
    """Slips score above every right step, wrong operations below; rare kinds are only in `all`."""
    solutions, scores, truth = [], [], {}
    for index in range(11):
        for kind, score in (("slip", 0.9), ("wrong_op", 0.1)):
            name = f"{kind}{index}"
            solutions.append(solution(name, 3, f"p{index}"))
            scores.append(scored(name, 0.5, score, 0.1))
            truth[name] = ("ok", kind, "after")
    solutions.append(solution("rare", 1, "p0"))
    scores.append(scored("rare", 0.5))
    truth["rare"] = ("skipped",)
    rows = measure(solutions, scores, truth)
    assert values(rows, "step_auc") == pytest.approx(
        {
            "all": (11 + 22 + 0.5) / 45,
            UP_TO_FIRST_ERROR: (11 + 0.5) / 23,
            "kind=slip": 0.0,
            "kind=wrong_op": 1.0,
        }
    )
    [slip] = [row for row in rows if row.bin == "kind=slip"]
    _, high = wilson_interval(0, 11)
    assert (slip.ci_low, slip.ci_high, slip.num_problems) == (0.0, pytest.approx(high), 11)


def test_without_a_wrong_step_there_is_no_auc_and_without_a_step_nothing(solution):
    rows = measure([solution("a", 1)], [scored("a", 0.9)], {"a": ("ok",)})
    assert values(rows, "step_auc") == {}
    assert values(rows, "step_calibration_error")["all"] == pytest.approx(0.1)
    assert measure([solution("a", 1)], [scored("a", 0.9)], {"a": (None,)}) == []
    assert measure([solution("a", 1)], [], {"a": ("ok",)}) == []


def test_the_reliability_table_comes_back_from_the_rows(solution):
    rows = measure([solution("a", 2)], [scored("a", 0.9, 0.8)], {"a": ("ok", "slip")})
    few = measure([solution("a", 1)], [scored("a", 0.9)], {"a": ("ok",)}, reference="m[n=8]")
    assert references([*few, *rows]) == ["checker", "m[n=8]"]
    empty, full = calibration_table([*few, *rows], "checker")
    assert (empty.low, empty.high, empty.count, empty.mean_score) == (0.0, 0.5, 0, None)
    assert (full.count, full.mean_score, full.rate) == (2, pytest.approx(0.85), 0.5)
    assert calibration_table(rows, "m[n=8]") == []


def test_a_known_step_without_a_score_is_refused(solution):
    with pytest.raises(ValueError, match="trajectory a: expected 3 step scores, got 2"):
        measure([solution("a", 3)], [scored("a", 0.9, 0.8)], {"a": ("ok", "ok", "ok")})


def test_a_score_of_the_whole_says_nothing_of_its_steps(solution):
    assert measure([solution("a", 2)], [scored("a", 0.9)], {"a": ("ok", "ok")}) == []
