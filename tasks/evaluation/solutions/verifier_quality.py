"""A verifier's step scores compared with the truth: ranking, calibration, loss.

The truth is defined in `truth.py`, by an exact checker or by stored labels. Rows have strategy
`step_scores`, and `against` is `checker` or the method of the labels. `step_auc` is measured in
bin `all`, in `steps=up_to_first_error` (without the steps after the first error, which are easy to
recognise) and in `kind=<error>`: right steps against wrong ones of that kind. Its interval
resamples problems.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Metric, StepScores, Trajectory
from schemas.units import derive_seed
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.solutions.truth import AFTER, RIGHT, StepKinds
from tasks.evaluation.statistics.ranking import bootstrap_auc
from tasks.verifiers.quality import (
    CalibrationBin,
    expected_calibration_error,
    log_loss,
    reliability_table,
)

CHECKER = "checker"
"""The name of the reference if the truth is exact."""
MIN_WRONG_STEPS = 11
"""Minimum number of wrong steps of a kind of error for a separate AUC."""
UP_TO_FIRST_ERROR = "steps=up_to_first_error"

STEP_SCORES = "step_scores"
SCORE = "score"


def measure_verifier(
    trajectories: Sequence[Trajectory],
    scores: Sequence[StepScores],
    true_kinds: StepKinds,
    config: EvaluationConfig,
    *,
    policy: str,
    verifier: str,
    reference: str = CHECKER,
) -> list[Metric]:
    """Metrics `step_auc`, `step_log_loss`, `step_calibration_error`, and the reliability table.

    Args:
        trajectories: the scored solutions; equal ones all count, so they are weighted by how often
            the policy writes them.
        scores: one verifier's scores; failed rows and scores of whole solutions are left out.
        true_kinds: by trajectory id; steps of unknown kind are left out.
        config: bins, resamples, confidence, seed.
        policy: the model that wrote the solutions.
        verifier: the model that scored them.
        reference: the source of the truth.

    Returns:
        The metrics that could be measured: none without steps, no AUC without right and wrong ones.

    Raises:
        ValueError: a step with a known truth has no score.
    """
    steps = _join(trajectories, scores, true_kinds)
    if not steps.scores:
        return []
    about = About(STEP_SCORES, verifier=verifier, against=reference)
    meter = _StepMeter(FigureWriter(policy, config), about)
    return [*meter.auc_rows(steps), *meter.fit_rows(steps)]


def references(metrics: Sequence[Metric]) -> list[str]:
    """The references that step scores were compared with, the one with the most steps first."""
    num_steps = Counter[str]()
    for row in metrics:
        if row.metric == "num_steps" and row.against is not None:
            num_steps[row.against] += int(row.value)
    return [reference for reference, _ in num_steps.most_common()]


def calibration_table(metrics: Sequence[Metric], reference: str) -> list[CalibrationBin]:
    """The reliability table in the rows of `measure_verifier`; empty if they contain none."""
    cells: dict[str, dict[str, float]] = {}
    for row in metrics:
        if row.strategy == STEP_SCORES and row.against == reference:
            where = Bin.parse(row.bin)
            if where.kind == SCORE:
                cells.setdefault(where.value, {})[row.metric] = row.value
    table = []
    for name, found in cells.items():
        low, high = map(float, name.split("-"))
        table.append(
            CalibrationBin(
                low=low,
                high=high,
                count=int(found["num_steps"]),
                mean_score=found.get("mean_score"),
                rate=found.get("right_rate"),
            )
        )
    return sorted(table, key=lambda cell: (cell.low, cell.high))


class _Steps:
    """Scored steps of known kind; the lists are parallel."""

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.kinds: list[str] = []
        self.problem_ids: list[str] = []


def _join(
    trajectories: Sequence[Trajectory], scores: Sequence[StepScores], true_kinds: StepKinds
) -> _Steps:
    by_trajectory = {row.trajectory_id: row.scores for row in scores if row.error is None}
    steps = _Steps()
    for row in trajectories:
        kinds = true_kinds.get(row.trajectory_id)
        values = by_trajectory.get(row.trajectory_id)
        if kinds is None or values is None:
            continue
        if len(values) == 1 < len(row.steps):
            continue  # a score of the whole solution does not apply to its steps
        if len(values) < len(kinds):
            raise ValueError(
                f"trajectory {row.trajectory_id}: expected {len(kinds)} step scores, "
                f"got {len(values)}"
            )
        known = [(v, kind) for v, kind in zip(values, kinds, strict=False) if kind is not None]
        steps.scores += [value for value, _ in known]
        steps.kinds += [kind for _, kind in known]
        steps.problem_ids += [row.problem_id] * len(known)
    return steps


class _StepMeter:
    """Builds the rows of one verifier and one reference."""

    def __init__(self, figures: FigureWriter, about: About) -> None:
        self._figures = figures
        self._about = about

    def auc_rows(self, steps: _Steps) -> list[Metric]:
        """The step AUC in every bin with right and wrong steps."""
        kinds = np.array(steps.kinds, dtype=object)
        is_wrong = kinds != RIGHT
        counts = Counter(kinds[is_wrong & (kinds != AFTER)].tolist())
        columns = {"all": is_wrong, UP_TO_FIRST_ERROR: is_wrong & (kinds != AFTER)}
        if len(counts) > 1:
            columns |= {
                f"kind={kind}": kinds == kind
                for kind, count in sorted(counts.items())
                if count >= MIN_WRONG_STEPS
            }
        config = self._figures.config
        means = bootstrap_auc(
            steps.scores,
            ~is_wrong,
            steps.problem_ids,
            np.stack(list(columns.values()), axis=1),
            num_resamples=config.num_bootstrap,
            confidence=config.confidence,
            seed=derive_seed(config.seed, "step_auc"),
        )
        values = zip(columns, means.value, means.num_problems, strict=True)
        return [
            self._figures.row(
                self._about,
                "step_auc",
                float(value),
                int(num_problems),
                bin_name=name,
                interval=means.interval(index),
            )
            for index, (name, value, num_problems) in enumerate(values)
            if not np.isnan(value)
        ]

    def fit_rows(self, steps: _Steps) -> list[Metric]:
        """Loss and calibration over all steps, and the reliability table in bins of the score."""
        truth = [kind == RIGHT for kind in steps.kinds]
        table = reliability_table(steps.scores, truth, self._figures.config.num_calibration_bins)
        found: list[tuple[str, str, float | None]] = [
            ("all", "step_log_loss", log_loss(steps.scores, truth)),
            ("all", "step_calibration_error", expected_calibration_error(table)),
        ]
        for cell in table:
            bin_name = str(Bin(SCORE, f"{cell.low:.3f}-{cell.high:.3f}"))
            found += [
                (bin_name, "num_steps", float(cell.count)),
                (bin_name, "mean_score", cell.mean_score),
                (bin_name, "right_rate", cell.rate),
            ]
        num_problems = len(set(steps.problem_ids))
        return [
            self._figures.row(self._about, name, value, num_problems, bin_name=bin_name)
            for bin_name, name, value in found
            if value is not None
        ]
