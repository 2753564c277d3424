"""From the decisions of searches to rows of `metrics`: accuracy, tokens and gains, in every bin.

A row's `strategy` is the strategy's label where its main pick is meant, `<label>/<pick>` for
another pick, and `compute_optimal[<difficulty>]` or `compute_optimal[<difficulty>,tokens]` for what
is chosen by difficulty (see `compute_optimal.py`). `budget` is N. Its `metric` is one of

* `accuracy`: share of right answers among those that were graded;
* `generated_tokens`, `scored_tokens`, `prompt_tokens`, `cached_tokens`: mean per problem, and
  `tokens`, which is what the policy wrote and the verifier computed together;
* `unfinished_rate`, `error_rate`, `excluded_rate`: share of problems of which no candidate came to
  an end, whose every candidate was refused, and which have no graded answer (they are left out of
  the accuracy);
* `gain_over[best_of_n]`: paired difference to best of N at the same N;
* `gain_at_equal_tokens[best_of_n]`: paired difference to what best of N comes to for the same
  tokens: between its two neighbouring points, linear in log tokens. Its first point is N = 1, one
  candidate of the reference cell; beyond its points there is no figure;
* `difficulty_tokens`: what was drawn to estimate the difficulty, part of `tokens` of the same row;
* `chosen[<label>@<N>]`: the accuracy by which a bin (`<difficulty>=<level>,fold=<fold>`) chose it;
* `engine_s`: seconds of an actor's time per problem.

The baseline is the reference cell's strategy, so `majority` where there is no best of N.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from tasks.evaluation.searches.bins import BinReport, difficulties, search_bins
from tasks.evaluation.searches.compute_optimal import mean_known
from tasks.evaluation.searches.compute_optimal_report import report_compute_optimal
from tasks.evaluation.searches.grid import Cell, SearchGrid
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.difficulty import model_ease, oracle_ease


def report_searches(
    grid: SearchGrid,
    config: EvaluationConfig,
    *,
    reference: Sequence[Candidates] = (),
    baseline: str | None = None,
    seconds: Mapping[Cell, float] | None = None,
) -> list[Metric]:
    """Every figure of a set's searches.

    Args:
        grid: the decisions.
        config: bins and intervals.
        reference: the candidates that difficulty is read from, in the order of the problems; empty
            leaves out everything that needs a difficulty.
        baseline: the strategy that gains are over; None for no gains.
        seconds: of an actor's time, by cell, for all problems together.
    """
    eases = {
        "oracle": [oracle_ease(problem) for problem in reference],
        "model": [model_ease(problem) for problem in reference],
    }
    one = _one_candidate(reference)
    rows: list[Metric] = []
    for bin_name, members in search_bins(grid, eases, config).items():
        report = BinReport(grid, config, bin_name, members)
        rows += report.rows(grid.correct, grid.column_names(), "accuracy")
        rows += _cost_rows(report)
        if baseline is not None:
            rows += _gains(report, baseline)
            rows += _gains_at_equal_tokens(report, baseline, one)
    whole = BinReport(grid, config, "all", range(len(grid.problems)))
    for cell, spent in (seconds or {}).items():
        if spent and cell in grid.cells:
            num_problems = len(grid.problems)
            rows.append(whole.row(cell, "engine_s", spent / num_problems, num_problems))
    if baseline is not None:
        for kind, levels in difficulties(eases).items():
            rows += report_compute_optimal(
                grid, reference, config, kind=kind, levels=levels, baseline=baseline
            )
    return rows


def at_equal_tokens(points: Sequence[tuple[float, FloatArray]], tokens: float) -> FloatArray | None:
    """A baseline's expected correctness on each problem, if it may spend so many tokens.

    Args:
        points: mean tokens, and [num_problems] correctness, of each budget of the baseline.
        tokens: mean tokens per problem to spend.

    Returns:
        Between two points, linear in log tokens; None outside of all.
    """
    for (low, below), (high, above) in pairwise(sorted(points, key=lambda point: point[0])):
        if 0 < low <= tokens <= high:
            share = np.log(tokens / low) / np.log(high / low) if high > low else 1.0
            return (1 - share) * below + share * above
    return None


def _cost_rows(report: BinReport) -> list[Metric]:
    """Tokens, and what became of the searches."""
    grid = report.grid
    columns = {
        "tokens": grid.tokens,
        **grid.spent,
        "unfinished_rate": grid.is_unfinished,
        "error_rate": grid.is_error,
        "excluded_rate": np.isnan(grid.main).astype(np.float64),
    }
    return [
        row for metric, values in columns.items() for row in report.rows(values, grid.cells, metric)
    ]


def _gains(report: BinReport, baseline: str) -> list[Metric]:
    """Paired differences to the baseline at the same N."""
    grid = report.grid
    base = {budget: i for i, (name, budget) in enumerate(grid.cells) if name == baseline}
    others = [i for i, cell in enumerate(grid.cells) if cell[0] != baseline and cell[1] in base]
    cells = [grid.cells[i] for i in others]
    gains = grid.main[:, others] - grid.main[:, [base[budget] for _, budget in cells]]
    return report.rows(gains, cells, f"gain_over[{baseline}]")


def _gains_at_equal_tokens(
    report: BinReport, baseline: str, one: tuple[FloatArray, FloatArray] | None
) -> list[Metric]:
    """Paired differences to the baseline at the tokens that each search takes in the bin."""
    grid, members = report.grid, report.members
    curve = [
        (grid.tokens[:, i], grid.main[:, i])
        for i, (name, _) in enumerate(grid.cells)
        if name == baseline
    ]
    curve += [] if one is None else [one]
    points = [(mean_known(spent[members]), correct) for spent, correct in curve]
    points = [point for point in points if not np.isnan(point[0])]
    rows = []
    for index, cell in enumerate(grid.cells):
        equal = at_equal_tokens(points, mean_known(grid.tokens[members, index]))
        if equal is not None and cell[0] != baseline:
            gain = grid.main[:, index] - equal
            rows += report.rows(gain[:, None], [cell], f"gain_at_equal_tokens[{baseline}]")
    return rows


def _one_candidate(reference: Sequence[Candidates]) -> tuple[FloatArray, FloatArray] | None:
    """Tokens and expected correctness of one candidate of each problem."""
    if not reference:
        return None
    tokens = [
        (sum(problem.num_tokens) + sum(problem.scored_tokens)) / problem.num_drawn
        if problem.num_drawn
        else np.nan
        for problem in reference
    ]
    solved = [np.nan if (ease := oracle_ease(p)) is None else ease for p in reference]
    return np.array(tokens), np.array(solved)
