"""From the decisions of searches to rows of `metrics`: accuracy, tokens and gains, in every bin.

A row's `strategy` is the strategy's label, with `pick` set for any pick but the main one. It is
`compute_optimal` for a choice by the difficulty in `pick` (see `compute_optimal.py`).
`budget` is N. Its `metric` is one of

* `accuracy`: share of right answers among the graded ones;
* `generated_tokens`, `scored_tokens`, `prompt_tokens`, `cached_tokens`: mean per problem, and
  `tokens`, the sum of what the policy wrote and the verifier computed;
* `unfinished_rate`, `error_rate`, `excluded_rate`: share of problems without a finished candidate,
  with every candidate rejected, and without a graded answer (left out of the accuracy);
* `saved_rate`: share of the N solutions that were not drawn, of strategies that may stop early;
* `gain_over`: paired difference to the strategy in `against` at the same N;
* `gain_at_equal_tokens`: paired difference to the accuracy of that strategy for the same tokens,
  interpolated between its two neighbouring points, linearly in log tokens. Its first point is N =
  1, one candidate of the reference cell; outside its points nothing is measured;
* `difficulty_tokens`: tokens spent on estimating the difficulty, part of `tokens` of the same row;
* `chosen`: the accuracy by which a bin (`<difficulty>=<level>,fold=<fold>`) chose the search in
  `arm`;
* `engine_s`: seconds of an actor's time per problem.

The baseline is the reference cell's strategy: best of N, or `majority` if that was not searched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from tasks.evaluation.figures import About
from tasks.evaluation.searches.bins import (
    BinFigures,
    SolveRates,
    all_problems,
    difficulties,
    search_bins,
)
from tasks.evaluation.searches.compute_optimal import mean_known
from tasks.evaluation.searches.compute_optimal_figures import compute_optimal_rows
from tasks.evaluation.searches.grid import Cell, SearchGrid
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.difficulty import model_solve_rate, oracle_solve_rate


def search_figures(
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
        reference: the candidates that difficulty is read from, in the order of the problems; if
            empty, figures by difficulty are left out.
        baseline: the baseline of gains; None for no gains.
        seconds: seconds of an actor's time, by cell, for all problems together.
    """
    solve_rates = solve_rates_of(reference)
    one = _one_candidate(reference)
    rows: list[Metric] = []
    for where, members in search_bins(grid, solve_rates, config).items():
        figures = BinFigures(grid, config, where, members)
        rows += figures.means(grid.correct, grid.column_abouts(), "accuracy")
        rows += _cost_rows(figures)
        if baseline is not None:
            rows += _gains(figures, baseline)
            rows += _gains_at_equal_tokens(figures, baseline, one)
    rows += _engine_rows(grid, config, seconds or {})
    if baseline is not None:
        for kind, levels in difficulties(solve_rates).items():
            rows += compute_optimal_rows(
                grid, reference, config, kind=kind, levels=levels, baseline=baseline
            )
    return rows


def solve_rates_of(reference: Sequence[Candidates]) -> SolveRates:
    """How often each problem is solved, by grades and by a verifier's scores."""
    return {
        "oracle": [oracle_solve_rate(problem) for problem in reference],
        "model": [model_solve_rate(problem) for problem in reference],
    }


def at_equal_tokens(points: Sequence[tuple[float, FloatArray]], tokens: float) -> FloatArray | None:
    """A baseline's expected correctness on each problem for this number of tokens.

    Args:
        points: mean tokens, and [num_problems] correctness, of each budget of the baseline.
        tokens: mean tokens per problem to spend.

    Returns:
        Interpolated between two points, linearly in log tokens; None outside the points.
    """
    for (low, below), (high, above) in pairwise(sorted(points, key=lambda point: point[0])):
        if 0 < low <= tokens <= high:
            share = np.log(tokens / low) / np.log(high / low) if high > low else 1.0
            return (1 - share) * below + share * above
    return None


def _cost_rows(figures: BinFigures) -> list[Metric]:
    """Tokens, and the rates of unfinished, failed and excluded searches."""
    grid = figures.grid
    columns = {
        "tokens": grid.tokens,
        **grid.spent,
        "unfinished_rate": grid.is_unfinished,
        "error_rate": grid.is_error,
        "excluded_rate": np.isnan(grid.main).astype(np.float64),
        "saved_rate": grid.saved,
    }
    abouts = grid.abouts()
    return [
        row for metric, values in columns.items() for row in figures.means(values, abouts, metric)
    ]


def _engine_rows(
    grid: SearchGrid, config: EvaluationConfig, seconds: Mapping[Cell, float]
) -> list[Metric]:
    """Seconds of an actor's time per problem, for the cells that took any."""
    about = dict(zip(grid.cells, grid.abouts(), strict=True))
    ((where, members),) = all_problems(grid).items()
    figures = BinFigures(grid, config, where, members)
    return [
        figures.row(about[cell], "engine_s", spent / len(members), len(members))
        for cell, spent in seconds.items()
        if spent and cell in about
    ]


def _gains(figures: BinFigures, baseline: str) -> list[Metric]:
    """Paired differences to the baseline at the same N."""
    grid = figures.grid
    base = {budget: i for i, (name, budget) in enumerate(grid.cells) if name == baseline}
    others = [i for i, cell in enumerate(grid.cells) if cell[0] != baseline and cell[1] in base]
    gains = grid.main[:, others] - grid.main[:, [base[grid.cells[i][1]] for i in others]]
    return figures.means(gains, _over(grid, others, baseline), "gain_over")


def _gains_at_equal_tokens(
    figures: BinFigures, baseline: str, one: tuple[FloatArray, FloatArray] | None
) -> list[Metric]:
    """Paired differences to the baseline at the tokens that each search takes in the bin."""
    grid, members = figures.grid, figures.members
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
            about = _over(grid, [index], baseline)
            rows += figures.means(gain[:, None], about, "gain_at_equal_tokens")
    return rows


def _over(grid: SearchGrid, cells: Sequence[int], baseline: str) -> list[About]:
    """The subjects of these cells' gains over the baseline."""
    abouts = grid.abouts()
    return [replace(abouts[index], against=baseline) for index in cells]


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
    solved = [np.nan if (rate := oracle_solve_rate(p)) is None else rate for p in reference]
    return np.array(tokens), np.array(solved)
