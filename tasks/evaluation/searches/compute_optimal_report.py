"""What compute-optimal selection comes to on a set's searches, as rows of `metrics`."""

from collections.abc import Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from tasks.evaluation.searches.bins import BinReport, Levels, level_bins
from tasks.evaluation.searches.compute_optimal import Selection, select_by_fold
from tasks.evaluation.searches.grid import Cell, SearchGrid
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.solutions.rankers import fold_of
from tasks.evaluation.statistics.curves import FloatArray


def report_compute_optimal(
    grid: SearchGrid,
    reference: Sequence[Candidates],
    config: EvaluationConfig,
    *,
    kind: str,
    levels: Levels,
    baseline: str,
) -> list[Metric]:
    """Accuracy, tokens and choices at every N, among the strategies at N and at its tokens.

    Args:
        grid: the searches.
        reference: what the difficulty was read from, in the order of the problems.
        config: of the intervals.
        kind: of difficulty.
        levels: of that kind.
        baseline: the strategy whose tokens are the budget, and that gains are over.
    """
    folds = [fold_of(problem.problem_id) for problem in grid.problems]
    rows: list[Metric] = []
    for budget in grid.budgets():
        at_budget = [i for i, cell in enumerate(grid.cells) if cell[1] == budget]
        limit = next((i for i in at_budget if grid.cells[i][0] == baseline), None)
        plans: list[tuple[str, list[int], int | None]] = [
            (f"compute_optimal[{kind}]", at_budget, None)
        ]
        if limit is not None:
            anywhere = list(range(len(grid.cells)))
            plans.append((f"compute_optimal[{kind},tokens]", anywhere, limit))
        for name, allowed, most in plans:
            chosen = select_by_fold(
                grid.main, grid.tokens, levels, folds, allowed=allowed, limit=most
            )
            cell = (name, budget)
            correct = chosen.take(grid.main)[:, None]
            for bin_name, members in _bins(kind, levels).items():
                report = BinReport(grid, config, bin_name, members)
                rows += report.rows(correct, [cell], "accuracy")
                if limit is not None:
                    gain = correct - grid.main[:, [limit]]
                    rows += report.rows(gain, [cell], f"gain_over[{baseline}]")
            rows += _token_rows(grid, config, cell, chosen, _estimate_tokens(reference, kind))
            rows += _choice_rows(grid, config, cell, kind, chosen)
    return rows


def _bins(kind: str, levels: Levels) -> dict[str, list[int]]:
    return {"all": list(range(len(levels))), **level_bins(kind, levels)}


def _token_rows(
    grid: SearchGrid,
    config: EvaluationConfig,
    cell: Cell,
    chosen: Selection,
    estimate: FloatArray,
) -> list[Metric]:
    """What the chosen searches cost, and what it cost to know which to choose."""
    report = BinReport(grid, config, "all", range(len(grid.problems)))
    columns = {
        "tokens": chosen.take(grid.tokens) + estimate,
        "difficulty_tokens": estimate,
        "generated_tokens": chosen.take(grid.spent["generated_tokens"]),
        "scored_tokens": chosen.take(grid.spent["scored_tokens"]),
    }
    return [
        row
        for metric, values in columns.items()
        for row in report.rows(values[:, None], [cell], metric)
    ]


def _estimate_tokens(reference: Sequence[Candidates], kind: str) -> FloatArray:
    """[num_problems] what the reference candidates cost; an oracle needs no verifier."""
    reads_verifier = kind.startswith("model")
    return np.array(
        [
            float(sum(p.num_tokens) + (sum(p.scored_tokens) if reads_verifier else 0))
            for p in reference
        ]
    )


def _choice_rows(
    grid: SearchGrid, config: EvaluationConfig, cell: Cell, kind: str, chosen: Selection
) -> list[Metric]:
    rows = []
    for choice in chosen.choices:
        strategy, budget = grid.cells[choice.cell]
        report = BinReport(grid, config, f"{kind}={choice.level},fold={choice.fold}", ())
        metric = f"chosen[{strategy}@{budget}]"
        rows.append(report.row(cell, metric, choice.accuracy, choice.num_problems))
    return rows
