"""A verifier's first-error F1 on solutions whose first error is known (arXiv:2412.06559).

The truth is that of `truth.py`. A solution counts if its first wrong step is known, with all steps
before it right, or if all of its steps are known to be right; one with an unknown step before its
first error does not.

Rows have strategy `step_scores`, and `against` names the truth:

* `erroneous_solutions`, `flawless_solutions`: how many there are;
* `first_error_f1`, and its parts `first_error_accuracy` (exact index, of solutions with an error)
  and `flawless_accuracy`;
* `first_error_threshold`, in bins `fold=<n>`: the threshold used for this half of the problems,
  which is the best on the other half. The figures of the same bin are those of this half, the
  figures of `all` of both halves together.
* in bins `subset=<name>`, if there are several: by the problems' source or split, at the same
  thresholds. `first_error_f1_mean` is the unweighted mean over the subsets.

A figure without solutions of a kind that it needs has no row. Intervals resample problems, with the
thresholds held fixed.
"""

from collections.abc import Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Metric, Problem, StepScores, Trajectory
from schemas.units import derive_seed
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.solutions.rankers import NUM_FOLDS, fold_of
from tasks.evaluation.solutions.truth import RIGHT, StepKinds
from tasks.evaluation.solutions.verifier_quality import CHECKER, STEP_SCORES
from tasks.evaluation.statistics.first_error import (
    BoolArray,
    Bounds,
    best_threshold,
    bootstrap_first_errors,
    find_bounds,
)

SUBSET = "subset"
"""The kind of the bins by source or split."""
_RATES = ("first_error_accuracy", "flawless_accuracy", "first_error_f1")


def measure_first_errors(
    problems: Sequence[Problem],
    trajectories: Sequence[Trajectory],
    scores: Sequence[StepScores],
    true_kinds: StepKinds,
    config: EvaluationConfig,
    *,
    policy: str,
    verifier: str,
    reference: str = CHECKER,
) -> list[Metric]:
    """The figures above; empty if no scored solution has a known first error or none at all.

    Args:
        problems: those of the solutions; their sources and splits make the subsets.
        trajectories: the scored solutions.
        scores: one verifier's scores; failed rows and scores of whole solutions are left out.
        true_kinds: by trajectory id.
        config: resamples, confidence, seed.
        policy: the model that wrote the solutions.
        verifier: the model that scored them.
        reference: the source of the truth.

    Raises:
        ValueError: a solution with a known truth has not one score per step.
    """
    known = _known(trajectories, scores, true_kinds)
    if not known:
        return []
    problem_ids = [row.problem_id for row, _, _ in known]
    bounds = find_bounds([values for _, values, _ in known], [error for _, _, error in known])
    folds = np.array([fold_of(problem_id) for problem_id in problem_ids])
    thresholds = [best_threshold(bounds.take(folds != fold)) for fold in range(NUM_FOLDS)]
    subsets = _subsets(problems, problem_ids)
    writer = _Writer(policy, config, About(STEP_SCORES, verifier=verifier, against=reference))
    return [
        *writer.counts(bounds, problem_ids),
        *writer.thresholds(thresholds, folds, problem_ids),
        *writer.rates(bounds, thresholds, folds, problem_ids, subsets),
    ]


def first_wrong_step(kinds: Sequence[str | None], num_steps: int) -> tuple[bool, int | None]:
    """Whether a solution's first error is known, and its index; None for a flawless solution.

    Args:
        kinds: of the first steps; the others are unknown.
        num_steps: of the solution.
    """
    for index, kind in enumerate(kinds):
        if kind is None:
            return False, None
        if kind != RIGHT:
            return True, index
    return len(kinds) == num_steps > 0, None


def _known(
    trajectories: Sequence[Trajectory], scores: Sequence[StepScores], true_kinds: StepKinds
) -> list[tuple[Trajectory, tuple[float, ...], int | None]]:
    """Solutions with a score per step and a known first error, or known to have none."""
    by_trajectory = {row.trajectory_id: row.scores for row in scores if row.error is None}
    found = []
    for row in trajectories:
        kinds, values = true_kinds.get(row.trajectory_id), by_trajectory.get(row.trajectory_id)
        if kinds is None or values is None or len(values) == 1 < len(row.steps):
            continue
        is_known, error = first_wrong_step(kinds, len(row.steps))
        if not is_known:
            continue
        if len(values) != len(row.steps):
            raise ValueError(
                f"trajectory {row.trajectory_id}: expected {len(row.steps)} step scores, "
                f"got {len(values)}"
            )
        found.append((row, values, error))
    return found


def _subsets(problems: Sequence[Problem], problem_ids: Sequence[str]) -> dict[str, BoolArray]:
    """[num_solutions] which solutions are of each subset; empty if all are of one."""
    by_id = {problem.problem_id: problem for problem in problems}
    used = [by_id[problem_id] for problem_id in problem_ids]
    several = [name for name in ("source", "split") if len({getattr(p, name) for p in used}) > 1]
    if not several:
        return {}
    names = np.array(["/".join(getattr(p, name) for name in several) for p in used], dtype=object)
    return {name: names == name for name in sorted(set(names.tolist()))}


class _Writer:
    """Writes the rows of one verifier and one reference."""

    def __init__(self, policy: str, config: EvaluationConfig, about: About) -> None:
        self._figures = FigureWriter(policy, config)
        self._about = about

    def counts(self, bounds: Bounds, problem_ids: Sequence[str]) -> list[Metric]:
        """How many solutions have an error, and how many have none."""
        num_problems = len(set(problem_ids))
        num_erroneous = int(bounds.is_erroneous.sum())
        counts = {
            "erroneous_solutions": num_erroneous,
            "flawless_solutions": len(problem_ids) - num_erroneous,
        }
        return [
            self._figures.row(self._about, name, float(count), num_problems)
            for name, count in counts.items()
        ]

    def thresholds(
        self, thresholds: Sequence[float | None], folds: np.ndarray, problem_ids: Sequence[str]
    ) -> list[Metric]:
        """The threshold used for each half, with the number of problems it was chosen on."""
        ids = np.asarray(problem_ids, dtype=object)
        return [
            self._figures.row(
                self._about,
                "first_error_threshold",
                threshold,
                len(set(ids[folds != fold].tolist())),
                bin_name=str(Bin("fold", str(fold))),
            )
            for fold, threshold in enumerate(thresholds)
            if threshold is not None
        ]

    def rates(
        self,
        bounds: Bounds,
        thresholds: Sequence[float | None],
        folds: np.ndarray,
        problem_ids: Sequence[str],
        subsets: dict[str, BoolArray],
    ) -> list[Metric]:
        """Accuracies and F1 of both halves together, of each, and of each subset."""
        hits = np.zeros(len(folds), dtype=bool)
        groups: dict[str, BoolArray] = {}
        for fold, threshold in enumerate(thresholds):
            if threshold is not None and (folds == fold).any():
                hits[folds == fold] = bounds.hits(threshold)[folds == fold]
                groups[str(Bin("fold", str(fold)))] = folds == fold
        if len(groups) == len(set(folds.tolist())):  # every solution is predicted
            groups["all"] = np.ones(len(folds), dtype=bool)
        else:
            subsets = {}
        rows = self._rows(groups, hits, bounds, problem_ids)
        by_bin = {str(Bin(SUBSET, name)): chosen for name, chosen in subsets.items()}
        return rows + self._rows(by_bin, hits, bounds, problem_ids, with_mean=True)

    def _rows(
        self,
        groups: dict[str, BoolArray],
        hits: BoolArray,
        bounds: Bounds,
        problem_ids: Sequence[str],
        *,
        with_mean: bool = False,
    ) -> list[Metric]:
        if not groups:
            return []
        config = self._figures.config
        rates = bootstrap_first_errors(
            hits,
            bounds.is_erroneous,
            problem_ids,
            np.stack(list(groups.values()), axis=1),
            num_resamples=config.num_bootstrap,
            confidence=config.confidence,
            seed=derive_seed(config.seed, "first_error"),
        )
        ids = np.asarray(problem_ids, dtype=object)
        cells = [
            (place, column, name, bin_name, len(set(ids[chosen].tolist())))
            for place, (bin_name, chosen) in enumerate(groups.items())
            for column, name in enumerate(_RATES)
        ]
        if with_mean:
            cells.append((len(groups), 2, "first_error_f1_mean", "all", len(set(problem_ids))))
        return [
            self._figures.row(
                self._about,
                name,
                float(rates.value[place, column]),
                num_problems,
                bin_name=bin_name,
                interval=(
                    _known_end(rates.low[place, column]),
                    _known_end(rates.high[place, column]),
                ),
            )
            for place, column, name, bin_name, num_problems in cells
            if not np.isnan(rates.value[place, column])
        ]


def _known_end(end: float) -> float | None:
    return None if np.isnan(end) else float(end)
