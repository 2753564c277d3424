"""The pool behind the checks: what builders read, a problem at a time.

The solutions come from the store as sorted record batches (`storage/pools.py`) and are held for
one problem at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

import pyarrow as pa

from schemas.rows import TRAJECTORIES, Trajectory, from_table
from storage.pools import Batches, Grades, SolutionPool
from tasks.dataset_export.checks import Checker
from tasks.dataset_export.solved import (
    Solution,
    SolvedProblem,
    join_problems,
    read_drawn,
    solve_problems,
)
from tasks.prompts.formats import PromptFormat

Value = TypeVar("Value")


class CleanPool:
    """Checked solutions of a pool, and the prompt their policy was asked with."""

    def __init__(
        self,
        pool: SolutionPool,
        checker: Checker,
        prompt_format: PromptFormat,
        *,
        originals: SolutionPool | None = None,
        seed: int = 0,
    ) -> None:
        """Put checks before a pool.

        Args:
            pool: the solutions.
            checker: what is left out.
            prompt_format: how the policy was asked.
            originals: a pool whose right solutions are the original data; None for the worked
                solutions of the problems.
            seed: of what builders draw.
        """
        self._pool = pool
        self._originals = originals
        self.checker = checker
        self.prompt_format = prompt_format
        self.seed = seed

    def build_prompt(self, problem: SolvedProblem) -> str:
        """What the policy reads before its solution."""
        return self.prompt_format.build(problem.question)

    def solved(self, grades: Grades, *, min_score: float | None = None) -> Iterator[SolvedProblem]:
        """Problems with their clean finished solutions, by problem id, those drawn first in front.

        Args:
            grades: which solutions.
            min_score: the least that the verifier gives; None for any, and for unscored ones.
        """
        return self._clean(self._pool.solutions(grades, min_score=min_score))

    def labelled(
        self, method: str, *, with_unlabelled: bool = False, as_sampled: bool = False
    ) -> Iterator[SolvedProblem]:
        """Problems with their clean solutions that have step labels of a method.

        Args:
            method: of the labels.
            with_unlabelled: give the solutions without any label as well.
            as_sampled: in the order in which they were sampled, in place of that of the pool.
        """
        solutions = self._pool.labelled(
            method, with_unlabelled=with_unlabelled, as_sampled=as_sampled
        )
        return self._clean(solutions, as_sampled=as_sampled)

    def searched(
        self, strategies: Sequence[str] | None
    ) -> Iterator[tuple[SolvedProblem, list[list[Trajectory]]]]:
        """Problems that may be used, without solutions, each with the rows of its searches."""
        with closing(self._pool.problems()) as problems, closing(self._pool.trees(strategies)) as t:
            groups = groupby(_iterate_branches(t), attrgetter("problem_id"))
            for problem, rows in join_problems(problems, groups):
                if self.checker.clean(problem) is not None:
                    yield problem, [list(search) for _, search in groupby(rows, _search_of)]

    def originals(self) -> Iterator[SolvedProblem]:
        """Original data in an order drawn from the seed: each a problem with one solution."""
        drawn = self._originals or self._pool
        batches = self._pool.drawn_originals() if drawn is self._pool else drawn.drawn_right()
        with closing(batches):
            for problem in read_drawn(batches):
                if (clean := self.checker.clean(problem)) is not None and clean.solutions:
                    yield clean

    def _clean(self, solutions: Batches, *, as_sampled: bool = False) -> Iterator[SolvedProblem]:
        with closing(self._pool.problems(as_sampled)) as problems, closing(solutions):
            for problem in solve_problems(problems, solutions):
                clean = self.checker.clean(problem)
                if clean is not None and clean.solutions:
                    yield clean


def take(values: Sequence[Value], most: int | None) -> Sequence[Value]:
    """The first so many; all for None."""
    return values if most is None else values[:most]


def best_scored(solutions: Sequence[Solution]) -> list[Solution]:
    """Solutions by their score, the best first, equal ones in their order; unscored ones last."""
    return sorted(solutions, key=lambda s: -s.score if s.score is not None else 1.0)


def _iterate_branches(batches: Iterable[pa.RecordBatch]) -> Iterator[Trajectory]:
    for batch in batches:
        yield from from_table(TRAJECTORIES, pa.Table.from_batches([batch]))


def _search_of(row: Trajectory) -> tuple[object, ...]:
    """What the rows of one search have in common, and the order they are sorted by."""
    return row.strategy, row.budget, row.policy, row.verifier
