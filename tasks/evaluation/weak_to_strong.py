"""Weak to strong: what a strong model learns from a weak one's labels (arXiv:2312.09390).

Four models are measured on the same problems: the `weak` one, which learned from the truth; a
`student`, strong, which learned from the weak one's labels; a `confident` student, which may
disagree with them; and the `ceiling`, strong, which learned from the truth. A row's `arm` is the
model. Its `strategy` says what was measured and its `metric` is one of

* `accuracy`: per problem, then averaged over problems;
* `gain_over`: the paired difference to the model in `against`;
* `gap_recovered`: the share of the gap between weak model and ceiling; left out where the ceiling
  is not above the weak model.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig, Reduction
from schemas.rows import Metric, Problem, StepScores, Trajectory
from schemas.units import derive_seed
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.solutions.candidates import drawn_rows
from tasks.evaluation.solutions.truth import RIGHT, StepKinds
from tasks.evaluation.statistics.curves import FloatArray, best_of_n_curve
from tasks.evaluation.statistics.gap_recovered import bootstrap_gap_recovered
from tasks.graders.verdicts import outcome
from tasks.verifiers.reductions import reduce_scores

WEAK, STUDENT, CONFIDENT, CEILING = "weak", "student", "confident", "ceiling"
ARMS = (WEAK, STUDENT, CONFIDENT, CEILING)
"""The models, in the order of tables."""
_THRESHOLD = 0.5


def solved_shares(problems: Sequence[Problem], samples: Sequence[Trajectory]) -> FloatArray:
    """[num_problems] the share of a policy's samples that are right; nan where none counts."""
    shares = np.full(len(problems), np.nan)
    for place, rows in enumerate(drawn_rows(problems, samples).values()):
        counted = [found for row in rows if (found := _outcome(row)) is not None]
        if counted:
            shares[place] = sum(counted) / len(counted)
    return shares


def verifier_shares(
    problems: Sequence[Problem],
    samples: Sequence[Trajectory],
    scores: Sequence[StepScores],
    truth: StepKinds,
    *,
    reduction: Reduction = "min",
) -> dict[str, FloatArray]:
    """What a verifier gets right on each problem, by what is measured, [num_problems].

    `steps`: the share of steps, of those whose truth is known, that it calls right or wrong as they
    are, at one half. `answers`: the same of whole solutions by their reduced score and grade.
    `best_of_n`: whether the solution with the highest reduced score is right. nan where nothing
    counts.
    """
    by_solution = {each.trajectory_id: each.scores for each in scores if each.error is None}
    found = {name: np.full(len(problems), np.nan) for name in ("steps", "answers", "best_of_n")}
    for place, rows in enumerate(drawn_rows(problems, samples).values()):
        scored = [(row, by_solution[row.trajectory_id]) for row in rows if _is_in(row, by_solution)]
        calls = [
            (score >= _THRESHOLD) == (kind == RIGHT)
            for row, of_steps in scored
            for score, kind in zip(of_steps, truth.get(row.trajectory_id, ()), strict=False)
            if kind is not None
        ]
        graded = [
            (reduce_scores(of_steps, reduction), is_right)
            for row, of_steps in scored
            if (is_right := _outcome(row)) is not None
        ]
        if calls:
            found["steps"][place] = np.mean(calls)
        if graded:
            values, correct = zip(*graded, strict=True)
            agrees = [(v >= _THRESHOLD) == ok for v, ok in graded]
            found["answers"][place] = np.mean(agrees)
            found["best_of_n"][place] = best_of_n_curve(values, correct, (len(graded),))[0]
    return found


def gap_figures(
    shares: Mapping[str, FloatArray],
    config: EvaluationConfig,
    *,
    strategy: str,
    policies: Mapping[str, str],
    verifiers: Mapping[str, str] | None = None,
) -> list[Metric]:
    """The figures of one measure.

    Args:
        shares: by model, [num_problems] in the same order; the confident student may be missing.
        config: the intervals.
        strategy: what was measured.
        policies: by model, the id of the policy that it is, or whose solutions it judges.
        verifiers: by model, the id of the verifier that it is; None for policies.

    Raises:
        ValueError: the weak model, the student or the ceiling is missing.
    """
    if lacking := [arm for arm in (WEAK, STUDENT, CEILING) if arm not in shares]:
        raise ValueError(f"{strategy}: expected figures of {', '.join(lacking)}, got none")
    rows: list[Metric] = []
    for arm in ARMS:
        if arm not in shares:
            continue
        figures = FigureWriter(policies[arm], config)
        verifier = None if verifiers is None else verifiers[arm]
        about = About(strategy, verifier=verifier, arm=arm)
        rows += figures.means(shares[arm][:, None], [about], "accuracy")
        for other in ARMS[: ARMS.index(arm)]:
            if other in shares:
                gain = (shares[arm] - shares[other])[:, None]
                over = About(strategy, verifier=verifier, arm=arm, against=other)
                rows += figures.means(gain, [over], "gain_over")
        if arm in (STUDENT, CONFIDENT):
            rows += _gap_rows(shares, arm, about, figures)
    return rows


def _gap_rows(
    shares: Mapping[str, FloatArray], arm: str, about: About, figures: FigureWriter
) -> list[Metric]:
    config = figures.config
    gap = bootstrap_gap_recovered(
        shares[WEAK],
        shares[arm],
        shares[CEILING],
        num_resamples=config.num_bootstrap,
        confidence=config.confidence,
        seed=derive_seed(config.seed, "bootstrap", "all"),
    )
    if gap.value is None:
        return []
    interval = (gap.low, gap.high)
    return [figures.row(about, "gap_recovered", gap.value, gap.num_problems, interval=interval)]


def _outcome(row: Trajectory) -> bool | None:
    return outcome(row.status, has_answer=row.answer is not None, correct=row.correct)


def _is_in(row: Trajectory, scores: Mapping[str, Sequence[float]]) -> bool:
    return bool(scores.get(row.trajectory_id))
