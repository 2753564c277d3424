"""Rows of `metrics` about graders: how a judge or an ensemble agrees with an exact grader.

`verifier` is the judge or the ensemble, `against` the grader that needs no model, `policy` the
model that wrote the solutions; rows have strategy `grading`. Every figure is over solutions that
the exact grader decides; all but the first two over those that both decide. Intervals resample
problems.

* `num_graded`: how many; `undecided_rate`: those on which the judge gives no verdict;
* `agreement`: equal verdicts; `kappa`: Cohen's, agreement beyond chance;
* `false_positive_rate`: of wrong solutions, those that it calls right; `false_negative_rate`: of
  right ones, those that it calls wrong;
* `leniency`: the share that it calls right less the share that is right;
* `self_preference`: its leniency toward its own solutions less that toward those of other policies
  of the same set; only where it is one of several policies.

Bins are those of `level` and `length_fifth`: fifths of a policy's solutions by generated tokens.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import GRADING, Bin
from schemas.rows import Metric, Problem, Trajectory, Verdict
from schemas.units import derive_seed
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.statistics.agreement import bootstrap_kappa
from tasks.evaluation.statistics.bootstrap import (
    Means,
    bootstrap_ratio,
    percentile_interval,
    resample_counts,
)
from tasks.evaluation.statistics.curves import FloatArray

_NUM_FIFTHS = 5
_MODELLED = ("judge-", "ensemble-")
"""How the names of graders begin that are measured against the others."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A solution that an exact grader decides, and what another grader says."""

    problem_id: str
    level: str | None
    num_tokens: int
    right: bool
    judged: bool | None


def grader_figures(
    problems: Sequence[Problem],
    solutions: Sequence[Trajectory],
    verdicts: Iterable[Verdict],
    config: EvaluationConfig,
) -> list[Metric]:
    """Every figure of every judge and ensemble that graded solutions of a set.

    Args:
        problems: of the set.
        solutions: as they were graded first.
        verdicts: all later ones, in any order.
        config: bins, confidence, resamples and seed.
    """
    levels = {p.problem_id: None if p.level is None else str(p.level) for p in problems}
    said = verdicts_by_grader(solutions, verdicts)
    judges = sorted(name for name in said if name.startswith(_MODELLED))
    exact = sorted(name for name in said if not name.startswith(_MODELLED))
    rows: list[Metric] = []
    for judge in judges:
        for reference in exact:
            pairs: dict[str, list[Pair]] = {}
            for row in solutions:
                right = said[reference].get(row.trajectory_id)
                if right is not None and row.trajectory_id in said[judge]:
                    judged = said[judge][row.trajectory_id]
                    level = levels.get(row.problem_id)
                    pair = Pair(row.problem_id, level, row.generated_tokens, right, judged)
                    pairs.setdefault(row.policy, []).append(pair)
            about = About(GRADING, verifier=judge, against=reference)
            for policy, of in sorted(pairs.items()):
                others = [pair for name, p in pairs.items() if name != policy for pair in p]
                is_own = judge.removeprefix("judge-1+").rpartition("+")[0] == policy
                rows += _figures(policy, of, about, config, others if is_own else [])
    return rows


def verdicts_by_grader(
    solutions: Sequence[Trajectory], verdicts: Iterable[Verdict]
) -> dict[str, dict[str, bool | None]]:
    """By grader and trajectory id the newest verdict, also as a member of an ensemble."""
    found: dict[str, dict[str, bool | None]] = {}
    for row in solutions:
        if row.grader is not None and row.status in ("finished", "truncated"):
            found.setdefault(row.grader, {})[row.trajectory_id] = row.correct
    for verdict in sorted(verdicts, key=lambda each: each.created_at):
        found.setdefault(verdict.grader, {})[verdict.trajectory_id] = verdict.correct
        for member in verdict.members or ():
            found.setdefault(member.grader, {})[verdict.trajectory_id] = member.correct
    return found


def _figures(
    policy: str,
    pairs: Sequence[Pair],
    about: About,
    config: EvaluationConfig,
    others: Sequence[Pair],
) -> list[Metric]:
    """The figures of a grader on one policy's solutions; `others` are those of other policies."""
    writer = FigureWriter(policy, config)
    bins: dict[Bin, list[Pair]] = {Bin(): list(pairs)}
    for pair in pairs:
        if pair.level is not None:
            bins.setdefault(Bin("level", pair.level), []).append(pair)
    order = sorted(pairs, key=lambda pair: pair.num_tokens)
    edges = [order[len(order) * n // _NUM_FIFTHS].num_tokens for n in range(1, _NUM_FIFTHS)]
    for pair in pairs:
        fifth = 1 + sum(pair.num_tokens >= edge for edge in edges)
        bins.setdefault(Bin("length_fifth", str(fifth)), []).append(pair)
    rows: list[Metric] = []
    for where in sorted(bins, key=lambda each: (each.kind or "", each.order)):
        rows += _bin_figures(writer, about, bins[where], str(where))
    if others:
        means = _self_preference(pairs, others, config)
        rows += writer.columns(means, [about], "self_preference")
    return rows


def _bin_figures(
    writer: FigureWriter, about: About, pairs: Sequence[Pair], bin_name: str
) -> list[Metric]:
    config = writer.config
    tables = _tables(pairs)
    both, missed, passed, neither, undecided = (tables[:, [c]] for c in range(5))
    decided = both + missed + passed + neither
    num_problems = len(tables)
    rows = [
        writer.row(about, "num_graded", float(len(pairs)), num_problems, bin_name=bin_name),
    ]
    ratios = {
        "undecided_rate": (undecided, decided + undecided),
        "agreement": (both + neither, decided),
        "false_positive_rate": (passed, passed + neither),
        "false_negative_rate": (missed, both + missed),
        "leniency": (passed - missed, decided),
    }
    interval = {
        "num_resamples": config.num_bootstrap,
        "confidence": config.confidence,
        "seed": derive_seed(config.seed, "bootstrap", bin_name),
    }
    for metric, (parts, wholes) in ratios.items():
        if wholes.sum():
            means = bootstrap_ratio(parts, wholes, **interval)
            rows += writer.columns(means, [about], metric, bin_name=bin_name)
    kappa = bootstrap_kappa(tables[:, :4], **interval)
    return rows + writer.columns(kappa, [about], "kappa", bin_name=bin_name)


def _tables(pairs: Sequence[Pair], problem_ids: Sequence[str] | None = None) -> FloatArray:
    """Count the solutions of each problem by what both graders say.

    Returns:
        [num_problems][5] right by both, only by the exact grader, only by the judge, by neither,
        and without a verdict of the judge.
    """
    ids = problem_ids or sorted({pair.problem_id for pair in pairs})
    place = {name: index for index, name in enumerate(ids)}
    tables = np.zeros((len(place), 5))
    for pair in pairs:
        column = 4 if pair.judged is None else 2 * (not pair.right) + (not pair.judged)
        tables[place[pair.problem_id], column] += 1
    return tables


def _self_preference(
    own: Sequence[Pair], others: Sequence[Pair], config: EvaluationConfig
) -> Means:
    """Leniency toward own solutions less that toward others, problems resampled together."""
    ids = sorted({pair.problem_id for pair in (*own, *others)})
    tables = [_tables(pairs, ids) for pairs in (own, others)]
    counts = resample_counts(
        len(ids), config.num_bootstrap, derive_seed(config.seed, "bootstrap", "self_preference")
    )

    def difference(sums: Sequence[FloatArray]) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            own_part, other_part = ((s[:, 2] - s[:, 1]) / s[:, :4].sum(axis=1) for s in sums)
        return own_part - other_part

    value = difference([table.sum(axis=0, keepdims=True) for table in tables])
    drawn = difference([counts @ table for table in tables])
    low, high = percentile_interval(drawn[~np.isnan(drawn)][:, None], config.confidence)
    return Means(value, low, high, np.array([len(ids)]))


def measured_graders(metrics: Sequence[Metric]) -> Mapping[tuple[str, str, str], list[Metric]]:
    """The figures of graders by policy, grader and what it is measured against, in order."""
    found: dict[tuple[str, str, str], list[Metric]] = {}
    for row in metrics:
        if row.strategy == GRADING:
            key = (row.policy, row.verifier or "", row.against or "")
            found.setdefault(key, []).append(row)
    return dict(sorted(found.items()))
