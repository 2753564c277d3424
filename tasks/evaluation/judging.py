"""How well a judge's scores agree with the grader.

`judge_auc` is the chance that a right solution has a higher score than a wrong one, over all
solutions; `judge_pair_accuracy` the same among solutions of one problem, which is what pairs for
preference training rest on. Ties count half. Solutions without a score or a grade are left out.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from schemas.units import derive_seed
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.statistics.ranking import bootstrap_auc

AUC, PAIRS = "judge_auc", "judge_pair_accuracy"
"""Names of the figures."""


class Judged(NamedTuple):
    """A solution, its grade and its score."""

    problem_id: str
    right: bool
    score: float


def judge_rows(
    judged: Sequence[Judged], about: About, policy: str, config: EvaluationConfig, *, bin_name: str
) -> list[Metric]:
    """Both figures with their intervals; none of them where right or wrong solutions lack."""
    problem_ids = [each.problem_id for each in judged]
    right = np.array([each.right for each in judged], dtype=bool)
    writer = FigureWriter(policy, config)
    auc = bootstrap_auc(
        [each.score for each in judged],
        right,
        problem_ids,
        ~right[:, None],
        num_resamples=config.num_bootstrap,
        confidence=config.confidence,
        seed=derive_seed(config.seed, "judge", bin_name),
    )
    rows = writer.columns(auc, [about], AUC, bin_name=bin_name)
    pairs = np.array([[value] for value in pair_accuracies(judged)]).reshape(-1, 1)
    if len(pairs):
        rows += writer.means(pairs, [about], PAIRS, bin_name=bin_name)
    return rows


def pair_accuracies(judged: Sequence[Judged]) -> list[float]:
    """For each problem with right and wrong solutions, the share of pairs in the right order."""
    groups: dict[str, tuple[list[float], list[float]]] = {}
    for each in judged:
        groups.setdefault(each.problem_id, ([], []))[each.right].append(each.score)
    return [
        math.fsum(0.5 if r == w else float(r > w) for r in right for w in wrong)
        / (len(right) * len(wrong))
        for wrong, right in (groups[name] for name in sorted(groups))
        if right and wrong
    ]
