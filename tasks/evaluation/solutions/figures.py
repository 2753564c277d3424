"""Rows of `metrics` from candidates: every figure with its interval, in every bin.

A row's `strategy` is a name from `rankers.py`, or `pool` for a figure of the candidates themselves.
Its `metric` is one of

* `accuracy`: expected correctness of the strategy at the budget;
* `gain_over`: paired difference from the baseline in `against`;
* `generated_tokens`, `scored_tokens`: mean tokens per problem that the policy generates and the
  verifier reads at the budget;
* `weight`: the weight used for the results of a fold (bin `fold=0`);
* `within_problem_auc`: how well a score ranks right above wrong within a problem;
* for the pool: `finished_accuracy` (pass@1 among finished rows), `truncated_rate`,
  `answerless_rate`, `one_step_rate`, `excluded_rate`, `median_steps`, `p95_steps` (of all rows that
  ended) and `problems_without_candidates`.

With `coverage_law` there are also the figures of `coverage.py`.

`verifier` is set only if a figure depends on it, so a majority row is the same for every
verifier.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.figures import POOL, About, FigureWriter
from tasks.evaluation.solutions.candidates import Candidates, num_reached
from tasks.evaluation.solutions.coverage import coverage_rows
from tasks.evaluation.solutions.rankers import (
    NUM_FOLDS,
    AccuracyTable,
    accuracy_table,
    fold_of,
    reads_verifier,
)
from tasks.evaluation.statistics.curves import pass_at_k
from tasks.evaluation.statistics.difficulty import (
    assign_levels,
    members_by_bin,
    model_solve_rate,
    oracle_solve_rate,
)
from tasks.verifiers.quality import grouped_auc
from tasks.verifiers.reductions import reduce_scores


def solution_figures(
    candidates: Sequence[Candidates],
    config: EvaluationConfig,
    *,
    policy: str,
    verifier: str | None,
) -> list[Metric]:
    """Every figure of one policy, and of one verifier on its candidates.

    Args:
        candidates: one per problem; if `verifier` is None their scores must be None.
        config: budgets, strategies, bins.
        policy: the model that wrote the candidates.
        verifier: the model that scored them.

    Returns:
        The rows, without figures that could not be measured; empty without problems.

    Raises:
        ValueError: a problem appears twice, or there are scores without a verifier.
    """
    _check(candidates, verifier)
    if not candidates:
        return []
    table = accuracy_table(candidates, config)
    figures = _SolutionFigures(config, policy, verifier)
    rows: list[Metric] = []
    for where, members in _bins(candidates, config).items():
        rows += _accuracy_rows(table, where, members, figures)
    rows += _weight_rows(table, candidates, figures)
    rows += _token_rows(table, candidates, figures)
    rows += _ranking_rows(table, candidates, figures)
    rows += _pool_rows(candidates, figures)
    if config.coverage_law:
        rows += coverage_rows(candidates, figures)
    return rows


class _SolutionFigures(FigureWriter):
    """Figures of stored solutions; they name the verifier if the strategy or bin depends on it."""

    def __init__(self, config: EvaluationConfig, policy: str, verifier: str | None) -> None:
        super().__init__(policy, config)
        self._verifier = verifier

    def about(
        self,
        strategy: str,
        budget: int | None = None,
        *,
        kind: str | None = None,
        against: str | None = None,
    ) -> About:
        """The subject of a figure for a strategy, in a bin of this kind."""
        depends = reads_verifier(strategy) or kind == "model_quintile"
        return About(
            strategy, budget, verifier=self._verifier if depends else None, against=against
        )


def _check(candidates: Sequence[Candidates], verifier: str | None) -> None:
    seen: set[str] = set()
    for problem in candidates:
        if problem.problem_id in seen:
            raise ValueError(f"problem {problem.problem_id}: expected once, got it twice")
        seen.add(problem.problem_id)
        if verifier is None and any(scores is not None for scores in problem.scores):
            raise ValueError(f"problem {problem.problem_id}: got scores, expected a verifier")


def _bins(candidates: Sequence[Candidates], config: EvaluationConfig) -> dict[Bin, list[int]]:
    """Indices of the problems in each bin, the bin of all problems first; no bin is empty."""
    labels: dict[str, Sequence[int | str | None]] = {
        "level": [problem.level for problem in candidates],
        "subject": [problem.subject for problem in candidates],
        "oracle_quintile": assign_levels([oracle_solve_rate(problem) for problem in candidates]),
        "model_quintile": assign_levels([model_solve_rate(problem) for problem in candidates]),
    }
    bins = {Bin(): list(range(len(candidates)))}
    for kind in config.bins:
        bins |= members_by_bin(kind, [None if x is None else str(x) for x in labels[kind]])
    return bins


def _accuracy_rows(
    table: AccuracyTable, where: Bin, members: Sequence[int], figures: _SolutionFigures
) -> list[Metric]:
    """The accuracy of every strategy at every budget, and its gain over the baselines."""
    names = [(name, k) for name in table.strategies for k in table.budgets]
    abouts = [figures.about(name, k, kind=where.kind) for name, k in names]
    values = table.values[members]
    flat = values.reshape(len(members), -1)
    bin_name = str(where)
    rows = figures.means(flat, abouts, "accuracy", bin_name=bin_name)
    for baseline in figures.config.baselines:
        if baseline not in table.strategies:
            continue
        base = np.broadcast_to(table.of(baseline)[members][:, None], values.shape)
        gains = flat - base.reshape(flat.shape)
        over = [figures.about(name, k, kind=where.kind, against=baseline) for name, k in names]
        measured = figures.means(gains, over, "gain_over", bin_name=bin_name)
        rows += [row for row in measured if row.strategy != baseline]
    return rows


def _weight_rows(
    table: AccuracyTable, candidates: Sequence[Candidates], figures: _SolutionFigures
) -> list[Metric]:
    """The weight used for the results of each fold, with the fold's number of problems."""
    folds = [fold_of(problem.problem_id) for problem in candidates]
    sizes = np.bincount(folds, minlength=NUM_FOLDS)
    return [
        figures.row(
            figures.about(name, k),
            "weight",
            float(w),
            int(sizes[fold]),
            bin_name=str(Bin("fold", str(fold))),
        )
        for name, weights in table.chosen_weights.items()
        for fold, of_fold in enumerate(weights)
        for k, w in zip(table.budgets, of_fold, strict=True)
        if not np.isnan(w)
    ]


def _token_rows(
    table: AccuracyTable, candidates: Sequence[Candidates], figures: _SolutionFigures
) -> list[Metric]:
    """Mean tokens per problem at each budget; the cost of excluded rows is included."""
    rows: list[Metric] = []
    reached = num_reached(candidates)
    for metric, spend in (("generated_tokens", _written), ("scored_tokens", _read_once)):
        spent = np.array(
            [
                [spend(c, k) if k <= reached and c.num_drawn else np.nan for k in table.budgets]
                for c in candidates
            ]
        )
        if not np.nansum(spent):
            continue  # imported rows do not record their cost
        names = [n for n in table.strategies if metric == "generated_tokens" or reads_verifier(n)]
        abouts = [figures.about(name, k) for name in names for k in table.budgets]
        rows += figures.means(np.tile(spent, len(names)), abouts, metric)
    return rows


def _written(problem: Candidates, budget: int) -> float:
    """Expected tokens of `budget` of the drawn rows, or of all if fewer were drawn."""
    return min(budget, problem.num_drawn) * float(np.mean(problem.num_tokens))


def _read_once(problem: Candidates, budget: int) -> float:
    """Expected tokens that a verifier reads in them, if it reads each distinct text once.

    The chance that k of n rows include a text that m rows have is pass@k with m right rows.
    """
    budget = min(budget, problem.num_drawn)
    text_ids = problem.text_ids or range(problem.num_drawn)
    tokens: dict[int, int] = {}
    for text_id, cost in zip(text_ids, problem.scored_tokens, strict=True):
        tokens[text_id] = tokens.get(text_id, 0) + cost
    counts = Counter(text_ids)
    return sum(
        cost * pass_at_k(problem.num_drawn, counts[text_id], budget)
        for text_id, cost in tokens.items()
    )


def _ranking_rows(
    table: AccuracyTable, candidates: Sequence[Candidates], figures: _SolutionFigures
) -> list[Metric]:
    """Within-problem AUC of each score that best of N ranks by."""
    rows: list[Metric] = []
    for how in figures.config.reductions:
        if f"best_of_n[{how}]" in table.strategies:
            groups = [
                [(reduce_scores(s, how), c) for s, c in _scored(problem)] for problem in candidates
            ]
            rows += _auc_row(f"best_of_n[{how}]", groups, figures)
    if "likelihood[sum]" in table.strategies:
        groups = [
            [
                (lp, problem.correct[i] is True)
                for i in problem.usable()
                if (lp := problem.logprobs[i]) is not None
            ]
            for problem in candidates
        ]
        rows += _auc_row("likelihood[sum]", groups, figures)
    return rows


def _scored(problem: Candidates) -> list[tuple[tuple[float, ...], bool]]:
    return [
        (scores, problem.correct[i] is True)
        for i in problem.usable()
        if (scores := problem.scores[i]) is not None
    ]


def _auc_row(
    strategy: str, groups: Sequence[list[tuple[float, bool]]], figures: _SolutionFigures
) -> list[Metric]:
    split = [([s for s, _ in group], [ok for _, ok in group]) for group in groups]
    decided = [group for group in split if len(set(group[1])) == 2]
    value = grouped_auc(decided)
    if value is None:
        return []
    return [figures.row(figures.about(strategy), "within_problem_auc", value, len(decided))]


def _ended(problem: Candidates) -> list[int]:
    """Indices of the rows that came to an end, or were cut."""
    return [i for i, status in enumerate(problem.status) if status in ("finished", "truncated")]


def _pool_rows(candidates: Sequence[Candidates], figures: _SolutionFigures) -> list[Metric]:
    """Figures about the status of the drawn rows."""
    drawn = [problem for problem in candidates if problem.num_drawn]
    finished = [
        [problem.correct[i] is True for i in problem.usable() if problem.status[i] == "finished"]
        for problem in drawn
    ]
    truncated = [problem.status.count("truncated") / problem.num_drawn for problem in drawn]
    ended = [_ended(problem) for problem in drawn]
    answerless = [
        np.mean([problem.classes[i] is None for i in rows]) if rows else np.nan
        for problem, rows in zip(drawn, ended, strict=True)
    ]
    steps = [
        [problem.num_steps[i] for i in rows] if problem.num_steps is not None else []
        for problem, rows in zip(drawn, ended, strict=True)
    ]
    excluded = [1.0 - len(problem.usable()) / problem.num_drawn for problem in drawn]
    columns = {
        "finished_accuracy": [float(np.mean(f)) if f else np.nan for f in finished],
        "truncated_rate": truncated,
        "answerless_rate": answerless,
        "one_step_rate": [np.mean(np.array(of) <= 1) if of else np.nan for of in steps],
        "excluded_rate": excluded,
    }
    rows = []
    for metric, values in columns.items():
        rows += figures.means(np.array(values, dtype=np.float64).reshape(-1, 1), [POOL], metric)
    lengths = sorted(number for of in steps for number in of)
    for metric, quantile in (("median_steps", 0.5), ("p95_steps", 0.95)):
        if lengths:
            place = max(math.ceil(quantile * len(lengths)), 1) - 1
            rows.append(figures.row(POOL, metric, float(lengths[place]), len(drawn)))
    num_empty = sum(not problem.usable() for problem in candidates)
    return [
        *rows,
        figures.row(POOL, "problems_without_candidates", float(num_empty), len(candidates)),
    ]
