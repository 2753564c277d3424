import pytest

from schemas.rows import StepLabel, StepScores
from tasks.evaluation.verifier_quality import measure_step_scores


def label(trajectory_id: str, step_index: int, hard: bool | None) -> StepLabel:
    return StepLabel(
        trajectory_id=trajectory_id,
        step_index=step_index,
        method="rollouts",
        completer="policy",
        evidence="rollouts",
        num_rollouts=8,
        num_correct=4,
        soft=0.5,
        hard=hard,
        ci_low=None,
        ci_high=None,
    )


def scored(trajectory_id: str, *scores: float, error: str | None = None) -> StepScores:
    return StepScores(
        trajectory_id=trajectory_id,
        verifier="v",
        scores=scores,
        scored_tokens=1,
        cached_tokens=0,
        error=error,
    )


PROBLEMS = {"t0": "p0", "t1": "p1", "t2": "p2"}


def measure(scores, labels):
    return measure_step_scores(scores, labels, PROBLEMS, policy="p", verifier="v", num_bins=2)


def test_labels_meet_their_steps():
    metrics, table = measure(
        [scored("t0", 0.9, 0.2), scored("t1", 0.6), scored("t2", error="too long")],
        [
            label("t1", 0, False),
            label("t0", 1, False),
            label("t0", 0, True),
            label("t2", 0, True),
            label("t9", 0, True),
        ],
    )
    assert {m.metric: m.num_problems for m in metrics} == {
        "step_auc": 2,
        "step_log_loss": 2,
        "step_calibration_error": 2,
    }
    assert metrics[0].value == 1.0
    assert [row.count for row in table] == [1, 2]
    assert metrics[2].value == pytest.approx((0.2 + 2 * 0.25) / 3)


def test_unknown_labels_say_nothing():
    metrics, table = measure([scored("t0", 0.9, 0.2)], [label("t0", 0, True), label("t0", 1, None)])
    assert [m.metric for m in metrics] == ["step_log_loss", "step_calibration_error"]
    assert sum(row.count for row in table) == 1
    assert measure([], [])[0] == []


def test_a_label_without_its_step_is_refused():
    with pytest.raises(ValueError, match="trajectory t0: label of step 1, but 1 step scores"):
        measure([scored("t0", 0.9)], [label("t0", 1, True)])
