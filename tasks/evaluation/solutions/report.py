"""From candidates to rows of `metrics`: every figure with its interval, in every bin.

A row's `strategy` is a name of `rankers.py`, or `pool` for a figure of the candidates themselves.
Its `metric` is one of

* `accuracy`: expected correctness of the strategy at the budget;
* `gain_over[majority]`: paired difference to a baseline;
* `generated_tokens`, `scored_tokens`: mean tokens per problem that the policy wrote and that the
  verifier read for the budget;
* `weight`: the weight under which a fold (bin `fold=0`) is reported;
* `within_problem_auc`: how well a score ranks right above wrong within a problem;
* of the pool: `finished_accuracy` (pass@1 among finished rows), `truncated_rate`,
  `excluded_rate`, `problems_without_candidates`.

`verifier` is set where a figure depends on it, so a majority row is the same under every
verifier.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from schemas.units import derive_seed
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.solutions.rankers import (
    NUM_FOLDS,
    AccuracyTable,
    accuracy_table,
    fold_of,
    reads_verifier,
)
from tasks.evaluation.statistics.bootstrap import Means, bootstrap_difference, bootstrap_mean
from tasks.evaluation.statistics.curves import FloatArray, pass_at_k
from tasks.evaluation.statistics.difficulty import assign_levels, model_ease, oracle_ease
from tasks.verifiers.quality import grouped_auc
from tasks.verifiers.reductions import reduce_scores


def evaluate(
    candidates: Sequence[Candidates],
    config: EvaluationConfig,
    *,
    policy: str,
    verifier: str | None,
) -> list[Metric]:
    """Every figure of one policy, and of one verifier on its candidates.

    Args:
        candidates: one per problem; where `verifier` is None their scores must be None.
        config: budgets, strategies, bins.
        policy: the model that wrote the candidates.
        verifier: the model that scored them.

    Returns:
        No row where there is no problem; a figure that nothing could be measured for is left out.

    Raises:
        ValueError: a problem appears twice, or there are scores without a verifier.
    """
    _check(candidates, verifier)
    if not candidates:
        return []
    table = accuracy_table(candidates, config)
    reporter = _Reporter(config, policy, verifier)
    rows: list[Metric] = []
    for bin_name, members in _bins(candidates, config).items():
        rows += _accuracy_rows(table, bin_name, members, reporter)
    rows += _weight_rows(table, candidates, reporter)
    rows += _token_rows(table, candidates, reporter)
    rows += _ranking_rows(table, candidates, reporter)
    rows += _pool_rows(candidates, reporter)
    return rows


class _Reporter:
    """Turns columns of per-problem values into metrics."""

    def __init__(self, config: EvaluationConfig, policy: str, verifier: str | None) -> None:
        self.config = config
        self._policy = policy
        self._verifier = verifier

    def means(self, values: FloatArray, bin_name: str) -> Means:
        """Means and intervals of [num_problems][num_columns]; a bin has its own resamples."""
        return bootstrap_mean(
            values,
            num_resamples=self.config.num_bootstrap,
            confidence=self.config.confidence,
            seed=derive_seed(self.config.seed, "bootstrap", bin_name),
        )

    def differences(self, first: FloatArray, second: FloatArray, bin_name: str) -> Means:
        """Paired differences, under the same resamples as `means`."""
        return bootstrap_difference(
            first,
            second,
            num_resamples=self.config.num_bootstrap,
            confidence=self.config.confidence,
            seed=derive_seed(self.config.seed, "bootstrap", bin_name),
        )

    def rows(
        self,
        means: Means,
        columns: Sequence[tuple[str, int | None]],
        metric: str,
        bin_name: str = "all",
    ) -> list[Metric]:
        """One row per (strategy, budget) column that was measured."""
        return [
            self.row(
                strategy,
                budget,
                metric,
                float(means.value[i]),
                int(means.num_problems[i]),
                bin_name=bin_name,
                interval=(float(means.low[i]), float(means.high[i])),
            )
            for i, (strategy, budget) in enumerate(columns)
            if means.num_problems[i]
        ]

    def row(
        self,
        strategy: str,
        budget: int | None,
        metric: str,
        value: float,
        num_problems: int,
        *,
        bin_name: str = "all",
        interval: tuple[float, float] = (float("nan"), float("nan")),
    ) -> Metric:
        """One metric; an interval of nan is none."""
        low, high = interval
        depends = reads_verifier(strategy) or bin_name.startswith("model_quintile")
        return Metric(
            policy=self._policy,
            verifier=self._verifier if depends else None,
            strategy=strategy,
            budget=budget,
            bin=bin_name,
            metric=metric,
            value=value,
            ci_low=None if np.isnan(low) else low,
            ci_high=None if np.isnan(high) else high,
            num_problems=num_problems,
        )


def _check(candidates: Sequence[Candidates], verifier: str | None) -> None:
    seen: set[str] = set()
    for problem in candidates:
        if problem.problem_id in seen:
            raise ValueError(f"problem {problem.problem_id}: expected once, got it twice")
        seen.add(problem.problem_id)
        if verifier is None and any(scores is not None for scores in problem.scores):
            raise ValueError(f"problem {problem.problem_id}: got scores, expected a verifier")


def _bins(candidates: Sequence[Candidates], config: EvaluationConfig) -> dict[str, list[int]]:
    """Indices of the problems of each bin, `all` first; bins without a problem do not exist."""
    labels: dict[str, Sequence[int | str | None]] = {
        "level": [problem.level for problem in candidates],
        "subject": [problem.subject for problem in candidates],
        "oracle_quintile": assign_levels([oracle_ease(problem) for problem in candidates]),
        "model_quintile": assign_levels([model_ease(problem) for problem in candidates]),
    }
    bins = {"all": list(range(len(candidates)))}
    for kind in config.bins:
        names = [None if label is None else f"{kind}={label}" for label in labels[kind]]
        for name in sorted({name for name in names if name is not None}):
            bins[name] = [i for i, other in enumerate(names) if other == name]
    return bins


def _accuracy_rows(
    table: AccuracyTable, bin_name: str, members: Sequence[int], reporter: _Reporter
) -> list[Metric]:
    """Accuracy of every strategy and budget, and its gain over the baselines."""
    columns = [(name, k) for name in table.strategies for k in table.budgets]
    values = table.values[members]
    flat = values.reshape(len(members), -1)
    rows = reporter.rows(reporter.means(flat, bin_name), columns, "accuracy", bin_name)
    for baseline in reporter.config.baselines:
        if baseline not in table.strategies:
            continue
        base = np.broadcast_to(table.of(baseline)[members][:, None], values.shape)
        gains = reporter.differences(flat, base.reshape(flat.shape), bin_name)
        rows += [
            row
            for row in reporter.rows(gains, columns, f"gain_over[{baseline}]", bin_name)
            if row.strategy != baseline
        ]
    return rows


def _weight_rows(
    table: AccuracyTable, candidates: Sequence[Candidates], reporter: _Reporter
) -> list[Metric]:
    """The weight under which each fold is reported, with the problems of the fold."""
    folds = [fold_of(problem.problem_id) for problem in candidates]
    sizes = np.bincount(folds, minlength=NUM_FOLDS)
    return [
        reporter.row(name, k, "weight", float(w), int(sizes[fold]), bin_name=f"fold={fold}")
        for name, weights in table.chosen_weights.items()
        for fold, of_fold in enumerate(weights)
        for k, w in zip(table.budgets, of_fold, strict=True)
        if not np.isnan(w)
    ]


def _token_rows(
    table: AccuracyTable, candidates: Sequence[Candidates], reporter: _Reporter
) -> list[Metric]:
    """Mean tokens per problem for a budget: all drawn rows cost, excluded ones too."""
    rows: list[Metric] = []
    for metric, spend in (("generated_tokens", _written), ("scored_tokens", _read_once)):
        spent = np.array([[spend(c, k) for k in table.budgets] for c in candidates])
        if not np.nansum(spent):
            continue  # imported rows do not say what they cost
        means = reporter.means(spent, "all")
        for name in table.strategies:
            if metric == "generated_tokens" or reads_verifier(name):
                rows += reporter.rows(means, [(name, k) for k in table.budgets], metric)
    return rows


def _written(problem: Candidates, budget: int) -> float:
    """Expected tokens of `budget` of the drawn rows; nan where fewer were drawn."""
    if budget > problem.num_drawn:
        return float("nan")
    return budget * float(np.mean(problem.num_tokens))


def _read_once(problem: Candidates, budget: int) -> float:
    """Expected tokens that a verifier reads of them, each distinct text once.

    A text that m of n rows have is among k of them with the chance of pass@k for m right rows.
    """
    if budget > problem.num_drawn:
        return float("nan")
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
    table: AccuracyTable, candidates: Sequence[Candidates], reporter: _Reporter
) -> list[Metric]:
    """Within-problem AUC of each score that best of N goes by."""
    rows: list[Metric] = []
    for how in reporter.config.reductions:
        if f"best_of_n[{how}]" in table.strategies:
            groups = [
                [(reduce_scores(s, how), c) for s, c in _scored(problem)] for problem in candidates
            ]
            rows += _auc_row(f"best_of_n[{how}]", groups, reporter)
    if "likelihood[sum]" in table.strategies:
        groups = [
            [
                (lp, problem.correct[i] is True)
                for i in problem.usable()
                if (lp := problem.logprobs[i]) is not None
            ]
            for problem in candidates
        ]
        rows += _auc_row("likelihood[sum]", groups, reporter)
    return rows


def _scored(problem: Candidates) -> list[tuple[tuple[float, ...], bool]]:
    return [
        (scores, problem.correct[i] is True)
        for i in problem.usable()
        if (scores := problem.scores[i]) is not None
    ]


def _auc_row(
    strategy: str, groups: Sequence[list[tuple[float, bool]]], reporter: _Reporter
) -> list[Metric]:
    split = [([s for s, _ in group], [ok for _, ok in group]) for group in groups]
    decided = [group for group in split if len(set(group[1])) == 2]
    value = grouped_auc(decided)
    if value is None:
        return []
    return [reporter.row(strategy, None, "within_problem_auc", value, len(decided))]


def _pool_rows(candidates: Sequence[Candidates], reporter: _Reporter) -> list[Metric]:
    """What became of the drawn rows."""
    drawn = [problem for problem in candidates if problem.num_drawn]
    finished = [
        [problem.correct[i] is True for i in problem.usable() if problem.status[i] == "finished"]
        for problem in drawn
    ]
    truncated = [problem.status.count("truncated") / problem.num_drawn for problem in drawn]
    excluded = [1.0 - len(problem.usable()) / problem.num_drawn for problem in drawn]
    columns = {
        "finished_accuracy": [float(np.mean(f)) if f else np.nan for f in finished],
        "truncated_rate": truncated,
        "excluded_rate": excluded,
    }
    rows = []
    for metric, values in columns.items():
        means = reporter.means(np.array(values, dtype=np.float64).reshape(-1, 1), "all")
        rows += reporter.rows(means, [("pool", None)], metric)
    num_empty = sum(not problem.usable() for problem in candidates)
    return [
        *rows,
        reporter.row(
            "pool", None, "problems_without_candidates", float(num_empty), len(candidates)
        ),
    ]
