"""The accuracy and cost of compute-optimal selection among a set's searches, as `metrics` rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.figures import About
from tasks.evaluation.searches.bins import BinFigures, Levels, all_problems
from tasks.evaluation.searches.compute_optimal import Selection, select_by_fold
from tasks.evaluation.searches.grid import SearchGrid
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.solutions.rankers import fold_of
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.difficulty import members_by_bin

OPTIMAL = "compute_optimal"


def compute_optimal_rows(
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
        reference: the candidates that difficulty was read from, in the order of the problems.
        config: decides the intervals.
        kind: the kind of difficulty.
        levels: the levels of that kind.
        baseline: the strategy whose tokens are the budget, and the baseline of gains.
    """
    folds = [fold_of(problem.problem_id) for problem in grid.problems]
    rows: list[Metric] = []
    for budget in grid.budgets():
        at_budget = [i for i, cell in enumerate(grid.cells) if cell[1] == budget]
        limit = next((i for i in at_budget if grid.cells[i][0] == baseline), None)
        plans: list[tuple[str, list[int], int | None]] = [(kind, at_budget, None)]
        if limit is not None:
            plans.append((f"{kind},tokens", list(range(len(grid.cells))), limit))
        for pick, allowed, cap in plans:
            chosen = select_by_fold(
                grid.main, grid.tokens, levels, folds, allowed=allowed, limit=cap
            )
            about = About(OPTIMAL, budget, _any_verifier(grid), pick)
            correct = chosen.take(grid.main)[:, None]
            for where, members in (all_problems(grid) | members_by_bin(kind, levels)).items():
                figures = BinFigures(grid, config, where, members)
                rows += figures.means(correct, [about], "accuracy")
                if limit is not None:
                    gain = correct - grid.main[:, [limit]]
                    rows += figures.means(gain, [replace(about, against=baseline)], "gain_over")
            rows += _token_rows(grid, config, about, chosen, _estimate_tokens(reference, kind))
            rows += _choice_rows(grid, config, about, kind, chosen)
    return rows


def _any_verifier(grid: SearchGrid) -> str | None:
    return next((verifier for verifier in grid.verifiers if verifier is not None), None)


def _token_rows(
    grid: SearchGrid,
    config: EvaluationConfig,
    about: About,
    chosen: Selection,
    estimate: FloatArray,
) -> list[Metric]:
    """The cost of the chosen searches, and of estimating the difficulty for the choice."""
    ((where, members),) = all_problems(grid).items()
    figures = BinFigures(grid, config, where, members)
    columns = {
        "tokens": chosen.take(grid.tokens) + estimate,
        "difficulty_tokens": estimate,
        "generated_tokens": chosen.take(grid.spent["generated_tokens"]),
        "scored_tokens": chosen.take(grid.spent["scored_tokens"]),
    }
    return [
        row
        for metric, values in columns.items()
        for row in figures.means(values[:, None], [about], metric)
    ]


def _estimate_tokens(reference: Sequence[Candidates], kind: str) -> FloatArray:
    """[num_problems] the cost of the reference candidates; an oracle needs no verifier."""
    reads_verifier = kind.startswith("model")
    return np.array(
        [
            float(sum(p.num_tokens) + (sum(p.scored_tokens) if reads_verifier else 0))
            for p in reference
        ]
    )


def _choice_rows(
    grid: SearchGrid, config: EvaluationConfig, about: About, kind: str, chosen: Selection
) -> list[Metric]:
    rows = []
    for choice in chosen.choices:
        strategy, budget = grid.cells[choice.cell]
        where = Bin(kind, choice.level, fold=choice.fold)
        figures = BinFigures(grid, config, where, ())
        arm = replace(about, arm=f"{strategy}@{budget}")
        rows.append(figures.row(arm, "chosen", choice.accuracy, choice.num_problems))
    return rows
