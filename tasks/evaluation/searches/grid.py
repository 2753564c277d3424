"""Decisions of searches as columns over the problems of a set.

A cell is a strategy at a budget, a column one pick of a cell. Unknown values are nan: the verdict
of an answer that could not be graded, and everything of a search that was not made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from schemas.rows import Decision, Problem, Trajectory
from schemas.search.strategies import strategy_of
from tasks.evaluation.figures import About
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.statistics.curves import FloatArray

Cell = tuple[str, int]
"""A strategy's label, and N."""

TOKENS = ("generated_tokens", "scored_tokens", "prompt_tokens", "cached_tokens")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SearchGrid:
    """Every search of a set."""

    problems: tuple[Problem, ...]
    policy: str
    cells: tuple[Cell, ...]
    """The cells in the order of the decisions."""
    verifiers: tuple[str | None, ...]
    """[num_cells]."""
    columns: tuple[tuple[int, str], ...]
    """Cell and pick of each column, the main pick of each cell first."""
    correct: FloatArray
    """[num_problems][num_columns] 1 is right, 0 wrong."""
    spent: dict[str, FloatArray]
    """By kind of tokens, [num_problems][num_cells]."""
    is_unfinished: FloatArray
    """[num_problems][num_cells] 1 if no candidate was finished."""
    is_error: FloatArray
    """[num_problems][num_cells] 1 if engines rejected every candidate."""
    saved: FloatArray
    """[num_problems][num_cells] share of the N solutions that were not drawn; nan for strategies
    that always draw all of them."""

    @property
    def main(self) -> FloatArray:
        """[num_problems][num_cells] the correctness of the main picks."""
        first: dict[int, int] = {}
        for column, (cell, _) in enumerate(self.columns):
            first.setdefault(cell, column)
        return self.correct[:, [first[cell] for cell in range(len(self.cells))]]

    @property
    def tokens(self) -> FloatArray:
        """The cost of each search: tokens that the policy wrote and the verifier computed."""
        return self.spent["generated_tokens"] + self.spent["scored_tokens"]

    def budgets(self) -> list[int]:
        """Every N, in increasing order."""
        return sorted({budget for _, budget in self.cells})

    def abouts(self) -> list[About]:
        """[num_cells] the subjects of the cells' figures: their main picks."""
        pairs = zip(self.cells, self.verifiers, strict=True)
        return [About(*cell, verifier=verifier) for cell, verifier in pairs]

    def column_abouts(self) -> list[About]:
        """[num_columns] the subjects of the columns; `pick` is set unless it is the main one."""
        of_cells, seen = self.abouts(), set()
        found = []
        for cell, pick in self.columns:
            found.append(replace(of_cells[cell], pick=pick if cell in seen else None))
            seen.add(cell)
        return found


def build_grid(problems: Sequence[Problem], decisions: Sequence[Decision]) -> SearchGrid:
    """The grid of a set's decisions, its problems in the order given.

    Raises:
        ValueError: no decision is given, one is about another problem, several policies searched,
            or a problem was searched twice in the same way.
    """
    policies = {decision.policy for decision in decisions}
    if len(policies) != 1:
        raise ValueError(f"expected decisions about one policy's searches, got {sorted(policies)}")
    row_of = {problem.problem_id: row for row, problem in enumerate(problems)}
    cells: dict[Cell, str | None] = {}
    found: dict[tuple[Cell, bool, str], None] = {}
    for decision in decisions:
        cell = (decision.strategy, decision.budget)
        cells.setdefault(cell, decision.verifier)
        found.setdefault((cell, not decision.is_main, decision.pick))
    cell_of = {cell: index for index, cell in enumerate(cells)}
    order = sorted(found, key=lambda key: (cell_of[key[0]], key[1]))
    column_of = {(cell, pick): index for index, (cell, _, pick) in enumerate(order)}
    correct = _unknown(len(problems), len(order))
    states = {name: _unknown(len(problems), len(cells)) for name in ("unfinished", "error")}
    spent = {name: _unknown(len(problems), len(cells)) for name in TOKENS}
    saved = _unknown(len(problems), len(cells))
    seen: NDArray[np.bool_] = np.zeros(correct.shape, dtype=np.bool_)
    for decision in decisions:
        cell = (decision.strategy, decision.budget)
        row, place = row_of.get(decision.problem_id), column_of[cell, decision.pick]
        if row is None or seen[row, place]:
            expected = "a problem of the set" if row is None else "one decision"
            raise ValueError(
                f"problem {decision.problem_id}, {decision.strategy} at N={decision.budget}, "
                f"{decision.pick}: expected {expected}"
            )
        seen[row, place] = True
        if decision.correct is not None:
            correct[row, place] = decision.correct
        for name, values in states.items():
            values[row, cell_of[cell]] = decision.status == name
        for name, values in spent.items():
            values[row, cell_of[cell]] = getattr(decision, name)
        strategy = strategy_of(decision.strategy)
        if strategy is not None and strategy.stops_early:  # each of its rows is a solution
            saved[row, cell_of[cell]] = 1 - decision.num_rows / decision.budget
    return SearchGrid(
        problems=tuple(problems),
        policy=policies.pop(),
        cells=tuple(cells),
        verifiers=tuple(cells.values()),
        columns=tuple((cell_of[cell], pick) for cell, _, pick in order),
        correct=correct,
        spent=spent,
        is_unfinished=states["unfinished"],
        is_error=states["error"],
        saved=saved,
    )


def reference_candidates(
    problems: Sequence[Problem], rows: Sequence[Trajectory]
) -> list[Candidates]:
    """The independent solutions of a reference cell, from which difficulty is read.

    Args:
        problems: the problems of the set; one without a solution has no difficulty.
        rows: the rows of best of N or majority at one budget.
    """
    by_problem: dict[str, list[Trajectory]] = {problem.problem_id: [] for problem in problems}
    for row in rows:
        by_problem[row.problem_id].append(row)
    return [
        Candidates(
            problem_id=name,
            classes=tuple(None if row.answer is None else 0 for row in found),
            correct=tuple(row.correct for row in found),
            status=tuple(row.status for row in found),
            logprobs=tuple(row.logprob for row in found),
            num_tokens=tuple(row.generated_tokens for row in found),
            scores=tuple(tuple(_scores(row)) or None for row in found),
            scored_tokens=tuple(row.scored_tokens for row in found),
        )
        for name, found in by_problem.items()
    ]


def _scores(row: Trajectory) -> Iterator[float]:
    return (step.score for step in row.steps if step.score is not None)


def _unknown(num_rows: int, num_columns: int) -> FloatArray:
    return np.full((num_rows, num_columns), np.nan)
