"""A verifier's step scores against the truth: ranking, calibration, loss.

The truth is that of `truth.py`, from an exact checker or from stored labels. Rows have strategy
`step_scores[checker]` or `step_scores[<label method>]`. `step_auc` stands in bin `all`, in
`steps=up_to_first_error` (without what is behind the first error, where a verifier has it easy)
and in `kind=<error>`: right steps against wrong ones of that kind. Its interval resamples
problems.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric, StepScores, Trajectory
from schemas.units import derive_seed
from tasks.evaluation.solutions.truth import AFTER, RIGHT, StepKinds
from tasks.evaluation.statistics.ranking import bootstrap_auc
from tasks.verifiers.quality import (
    CalibrationBin,
    expected_calibration_error,
    log_loss,
    reliability_table,
)

CHECKER = "checker"
"""What the reference is called where the truth is exact."""
MIN_WRONG_STEPS = 11
"""A kind of error has an AUC of its own from this many wrong steps on."""
UP_TO_FIRST_ERROR = "steps=up_to_first_error"

_STRATEGY = "step_scores["
_SCORE_BIN = "score="


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
        trajectories: the scored solutions; every one counts, so equal ones count as often as the
            policy writes them.
        scores: one verifier's scores; a row that failed, or scores the whole, is left out.
        true_kinds: by trajectory id; a step whose kind is unknown is left out.
        config: bins, resamples, confidence, seed.
        policy: the model that wrote the solutions.
        verifier: the model that scored them.
        reference: where the truth comes from.

    Returns:
        Metrics that could be measured: none without a step, no AUC without right and wrong steps.

    Raises:
        ValueError: the truth knows a step that has no score.
    """
    steps = _join(trajectories, scores, true_kinds)
    if not steps.scores:
        return []
    meter = _StepMeter(config, policy, verifier, f"{_STRATEGY}{reference}]")
    return [*meter.auc_rows(steps), *meter.fit_rows(steps)]


def references(metrics: Sequence[Metric]) -> list[str]:
    """What step scores were measured against, the one with most steps first."""
    num_steps = Counter[str]()
    for row in metrics:
        if row.bin.startswith(_SCORE_BIN) and row.metric == "num_steps":
            num_steps[row.strategy.removeprefix(_STRATEGY).removesuffix("]")] += int(row.value)
    return [reference for reference, _ in num_steps.most_common()]


def calibration_table(metrics: Sequence[Metric], reference: str) -> list[CalibrationBin]:
    """The reliability table that `measure_verifier` put into rows; empty where it is not there."""
    cells = {
        (row.bin.removeprefix(_SCORE_BIN), row.metric): row.value
        for row in metrics
        if row.strategy == f"{_STRATEGY}{reference}]" and row.bin.startswith(_SCORE_BIN)
    }
    bounds = {name: tuple(map(float, name.split("-"))) for name, _ in cells}
    return [
        CalibrationBin(
            low=low,
            high=high,
            count=int(cells[name, "num_steps"]),
            mean_score=cells.get((name, "mean_score")),
            rate=cells.get((name, "right_rate")),
        )
        for name, (low, high) in sorted(bounds.items(), key=lambda entry: entry[1])
    ]


class _Steps:
    """Scored steps whose kind is known; the lists run in parallel."""

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
            continue  # a score of the whole solution says nothing of its steps
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
    """Makes the rows of one verifier against one reference."""

    def __init__(self, config: EvaluationConfig, policy: str, verifier: str, strategy: str) -> None:
        self._config = config
        self._policy = policy
        self._verifier = verifier
        self._strategy = strategy

    def auc_rows(self, steps: _Steps) -> list[Metric]:
        """The step AUC of every bin with right and wrong steps."""
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
        means = bootstrap_auc(
            steps.scores,
            ~is_wrong,
            steps.problem_ids,
            np.stack(list(columns.values()), axis=1),
            num_resamples=self._config.num_bootstrap,
            confidence=self._config.confidence,
            seed=derive_seed(self._config.seed, "step_auc"),
        )
        return [
            self._row(
                "step_auc",
                float(means.value[i]),
                int(means.num_problems[i]),
                bin_name=name,
                interval=means.interval(i),
            )
            for i, name in enumerate(columns)
            if not np.isnan(means.value[i])
        ]

    def fit_rows(self, steps: _Steps) -> list[Metric]:
        """Loss and calibration, over all steps and in bins of the score."""
        truth = [kind == RIGHT for kind in steps.kinds]
        table = reliability_table(steps.scores, truth, self._config.num_calibration_bins)
        num_problems = len(set(steps.problem_ids))
        rows = [
            self._row(name, value, num_problems)
            for name, value in (
                ("step_log_loss", log_loss(steps.scores, truth)),
                ("step_calibration_error", expected_calibration_error(table)),
            )
            if value is not None
        ]
        for cell in table:
            bin_name = f"{_SCORE_BIN}{cell.low:.3f}-{cell.high:.3f}"
            for name, value in (
                ("num_steps", float(cell.count)),
                ("mean_score", cell.mean_score),
                ("right_rate", cell.rate),
            ):
                if value is not None:
                    rows.append(self._row(name, value, num_problems, bin_name=bin_name))
        return rows

    def _row(
        self,
        metric: str,
        value: float,
        num_problems: int,
        *,
        bin_name: str = "all",
        interval: tuple[float | None, float | None] = (None, None),
    ) -> Metric:
        return Metric(
            policy=self._policy,
            verifier=self._verifier,
            strategy=self._strategy,
            budget=None,
            bin=bin_name,
            metric=metric,
            value=value,
            ci_low=interval[0],
            ci_high=interval[1],
            num_problems=num_problems,
        )
