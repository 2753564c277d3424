"""A verifier's step scores against stored step labels: ranking, calibration, loss.

Rows of `step_scores` and `step_labels` are joined on trajectory and step; a step whose hard label
is null says nothing and is left out.
"""

from collections.abc import Mapping, Sequence

from schemas.rows import Metric, StepLabel, StepScores
from tasks.verifiers.quality import (
    CalibrationBin,
    auc,
    expected_calibration_error,
    log_loss,
    reliability_table,
)


def measure_step_scores(
    scores: Sequence[StepScores],
    labels: Sequence[StepLabel],
    problem_ids: Mapping[str, str],
    *,
    policy: str,
    verifier: str,
    num_bins: int = 10,
) -> tuple[list[Metric], list[CalibrationBin]]:
    """Metrics `step_auc`, `step_log_loss`, `step_calibration_error`, and the reliability table.

    Args:
        scores: one verifier's scores; a row that failed is left out.
        labels: labels of one method; a labelled step of an unscored trajectory is left out.
        problem_ids: the problem of each scored trajectory.
        policy: the model that wrote the trajectories.
        verifier: the model that scored them.
        num_bins: bins of the reliability table.

    Returns:
        Metrics that could be measured (AUC needs right and wrong steps), and all bins.

    Raises:
        ValueError: a label's step does not exist in the scores of its trajectory.
    """
    by_trajectory = {row.trajectory_id: row.scores for row in scores if row.error is None}
    values: list[float] = []
    truth: list[bool] = []
    problems: set[str] = set()
    for label in labels:
        steps = by_trajectory.get(label.trajectory_id)
        if steps is None or label.hard is None:
            continue
        if label.step_index >= len(steps):
            raise ValueError(
                f"trajectory {label.trajectory_id}: label of step {label.step_index}, "
                f"but {len(steps)} step scores"
            )
        values.append(steps[label.step_index])
        truth.append(label.hard)
        problems.add(problem_ids[label.trajectory_id])
    table = reliability_table(values, truth, num_bins)
    figures = {
        "step_auc": auc(values, truth),
        "step_log_loss": log_loss(values, truth),
        "step_calibration_error": expected_calibration_error(table),
    }
    metrics = [
        Metric(
            policy=policy,
            verifier=verifier,
            strategy="step_scores",
            budget=None,
            bin="all",
            metric=name,
            value=value,
            ci_low=None,
            ci_high=None,
            num_problems=len(problems),
        )
        for name, value in figures.items()
        if value is not None
    ]
    return metrics, table
