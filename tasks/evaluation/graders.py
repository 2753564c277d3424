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

Two judges are compared on the solutions that the exact grader and both of them decide. The row's
`arm` is the other judge, and problems are resampled for both together:

* `num_compared`: how many; `agreement_difference`, `false_positive_difference` and
  `false_negative_difference`: the rate of the one less that of the other;
* `undecided_difference`: the same over all that the exact grader decides.

Bins are those of `level` and `length_fifth`: fifths of a policy's solutions by generated tokens.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

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
    against: str | None = None,
) -> list[Metric]:
    """Every figure of every judge and ensemble that graded solutions of a set.

    Args:
        problems: of the set.
        solutions: as they were graded first.
        verdicts: all later ones, in any order.
        config: bins, confidence, resamples and seed.
        against: how the names of the graders begin that they are measured against, also judges;
            None for all that need no model.

    Raises:
        ValueError: no grader has such a name.
    """
    levels = {p.problem_id: None if p.level is None else str(p.level) for p in problems}
    said = verdicts_by_grader(solutions, verdicts)
    rows: list[Metric] = []
    for reference in choose_references(said, against):
        found: dict[str, dict[str, dict[str, Pair]]] = {}
        for judge in (n for n in sorted(said) if n.startswith(_MODELLED) and n != reference):
            pairs = _pairs_by_policy(solutions, levels, said[reference], said[judge])
            about = About(GRADING, verifier=judge, against=reference)
            own = judge.removeprefix("judge-1+").rpartition("+")[0]
            for policy, of in sorted(pairs.items()):
                others = [pair for p in pairs if p != policy for pair in pairs[p].values()]
                others = others if policy == own else []
                rows += _figures(policy, [*of.values()], about, config, others)
                found.setdefault(policy, {})[judge] = of
        for policy, by_judge in sorted(found.items()):
            for one, other in combinations(by_judge, 2):
                about = About(GRADING, verifier=one, arm=other, against=reference)
                writer = FigureWriter(policy, config)
                rows += _differences(writer, about, by_judge[one], by_judge[other])
    return rows


def _pairs_by_policy(
    solutions: Sequence[Trajectory],
    levels: Mapping[str, str | None],
    right: Mapping[str, bool | None],
    judged: Mapping[str, bool | None],
) -> dict[str, dict[str, Pair]]:
    """By policy and trajectory id, the solutions that a reference decides and a judge has seen."""
    pairs: dict[str, dict[str, Pair]] = {}
    for row in solutions:
        truth = right.get(row.trajectory_id)
        if truth is not None and row.trajectory_id in judged:
            pairs.setdefault(row.policy, {})[row.trajectory_id] = Pair(
                row.problem_id,
                levels.get(row.problem_id),
                row.generated_tokens,
                truth,
                judged[row.trajectory_id],
            )
    return pairs


def choose_references(names: Iterable[str], against: str | None) -> list[str]:
    """The graders that judges are measured against, in order.

    Args:
        names: of all graders of a set.
        against: see `grader_figures`.

    Raises:
        ValueError: no grader has such a name.
    """
    known = sorted(names)
    if against is None:
        return [name for name in known if not name.startswith(_MODELLED)]
    chosen = [name for name in known if name.startswith(against)]
    if not chosen:
        raise ValueError(
            f"against: expected the name of a grader of these solutions, or how it begins "
            f"({', '.join(known) or 'nothing graded them'}), got {against!r}"
        )
    return chosen


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


def _differences(
    writer: FigureWriter, about: About, first: Mapping[str, Pair], second: Mapping[str, Pair]
) -> list[Metric]:
    """What two judges get wrong of the same solutions, the first less the second.

    Args:
        writer: of the policy.
        about: both judges, and the grader that they are measured against.
        first: by trajectory id what the first judge says.
        second: the same of the second.
    """
    both = [(first[name], second[name]) for name in first if name in second]
    decided = [pair for pair in both if None not in (pair[0].judged, pair[1].judged)]
    rights = [pair for pair in decided if pair[0].right]
    wrongs = [pair for pair in decided if not pair[0].right]
    kinds = {
        "undecided_difference": (both, lambda pair: pair.judged is None),
        "agreement_difference": (decided, lambda pair: pair.judged == pair.right),
        "false_positive_difference": (wrongs, lambda pair: pair.judged),
        "false_negative_difference": (rights, lambda pair: not pair.judged),
    }
    place = {name: i for i, name in enumerate(sorted({pair.problem_id for pair, _ in both}))}
    rows = [writer.row(about, "num_compared", float(len(decided)), len(place))] if decided else []
    for metric, (of, counts) in kinds.items():
        if not of:
            continue
        parts, wholes = np.zeros((len(place), 1)), np.zeros((len(place), 1))
        for one, other in of:
            parts[place[one.problem_id]] += int(counts(one)) - int(counts(other))
            wholes[place[one.problem_id]] += 1
        means = bootstrap_ratio(
            parts,
            wholes,
            num_resamples=writer.config.num_bootstrap,
            confidence=writer.config.confidence,
            seed=derive_seed(writer.config.seed, "bootstrap", "judges"),
        )
        rows += writer.columns(means, [about], metric)
    return rows


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
        if row.strategy == GRADING and row.arm is None:
            key = (row.policy, row.verifier or "", row.against or "")
            found.setdefault(key, []).append(row)
    return dict(sorted(found.items()))


def compared_judges(
    metrics: Sequence[Metric],
) -> Mapping[tuple[str, str, str, str], dict[str, Metric]]:
    """Differences by policy, the one judge, the other, and the reference; each by its name."""
    found: dict[tuple[str, str, str, str], dict[str, Metric]] = {}
    for row in metrics:
        if row.strategy == GRADING and row.arm is not None:
            key = (row.policy, row.verifier or "", row.arm, row.against or "")
            found.setdefault(key, {})[row.metric] = row
    return dict(sorted(found.items()))
