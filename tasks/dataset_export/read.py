"""The checked solutions that builders read, one problem at a time.

The solutions come from the store as sorted record batches (`storage/solutions.py`); only those of
one problem are in memory.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

import pyarrow as pa

from schemas.rows import TRAJECTORIES, Trajectory, from_table
from storage.solutions import Batches, Grades, SolutionsSurvey
from tasks.dataset_export.checks import Checker
from tasks.dataset_export.critiqued import CriticPrompts, CritiquedProblem, read_critiqued
from tasks.dataset_export.solved import (
    Solution,
    SolvedProblem,
    join_problems,
    read_drawn,
    solve_problems,
)
from tasks.dataset_export.sources import Sources
from tasks.prompts.formats import PromptFormat

Value = TypeVar("Value")


class CheckedSource:
    """The source of a builder: checked solutions, and the prompt of the policy that wrote them."""

    def __init__(
        self,
        sources: Sources,
        checker: Checker,
        prompt_format: PromptFormat,
        *,
        critic: CriticPrompts | None = None,
        seed: int = 0,
    ) -> None:
        """Apply checks to the solutions.

        Args:
            sources: the open solutions, and facts about them.
            checker: decides what is left out.
            prompt_format: how the policy was prompted.
            critic: how the critics were prompted, for builders that read critiques.
            seed: the seed of what builders draw.
        """
        self._solutions = sources.solutions
        self._critiques = sources.critiques
        self._originals = sources.originals
        self.min_score = sources.min_score
        """The minimum score of a solution; None if scores do not decide."""
        self.method = sources.method
        """The method of the step labels; None for builders that read none."""
        self.verifier = sources.verifier
        """The verifier whose scores are read; None for builders that read none."""
        self.accuracy = _accuracy(sources.survey)
        """The share of right ones among the graded solutions, before any check."""
        self.checker = checker
        self.prompt_format = prompt_format
        self.seed = seed
        self.critic = critic
        """How the critics were prompted; None for builders that read no critiques."""
        self.left_out: Counter[str] = Counter()
        """Number of rows that a builder leaves out, by reason; the card shows it."""
        self.critiques_left_out: Counter[str] = Counter()
        """Number of critiques that cannot be learned from, by reason."""

    def build_prompt(self, problem: SolvedProblem) -> str:
        """What the policy reads before its solution."""
        return self.prompt_format.ask(problem.question)

    def solved(self, grades: Grades, *, min_score: float | None = None) -> Iterator[SolvedProblem]:
        """Problems with their clean finished solutions: by problem id, solutions in random order.

        Args:
            grades: which solutions.
            min_score: the minimum score; None for any score, including none.
        """
        return self._clean(self._solutions.solutions(grades, min_score=min_score))

    def labelled(
        self, *, with_unlabelled: bool = False, as_sampled: bool = False
    ) -> Iterator[SolvedProblem]:
        """Problems with their clean solutions that have step labels of the method.

        Args:
            with_unlabelled: also give solutions without any label.
            as_sampled: in the order in which they were sampled, instead of a random order.
        """
        assert self.method is not None
        solutions = self._solutions.labelled(
            self.method, with_unlabelled=with_unlabelled, as_sampled=as_sampled
        )
        return self._clean(solutions, as_sampled=as_sampled)

    def scored(self, hard_threshold: float) -> Iterator[SolvedProblem]:
        """Problems with their clean solutions that the verifier scored, its scores as step labels.

        Args:
            hard_threshold: minimum score of a step whose label is right.
        """
        return self._clean(self._solutions.scored_steps(hard_threshold))

    def critiqued(
        self, *, with_others: bool = False, with_faulty: bool = False, as_drawn: bool = False
    ) -> Iterator[CritiquedProblem]:
        """Problems with their clean critiqued solutions: by problem id, solutions in random order.

        Critiques that cannot be learned from are left out and counted.

        Args:
            with_others: also give solutions without critiques.
            with_faulty: also give critiques with a fault, such as one without a verdict.
            as_drawn: give every critique, equal ones and those that give the answer away included.
        """
        assert self._critiques is not None
        return read_critiqued(
            self._critiques,
            self._solutions.problems(),
            self.checker,
            self.critiques_left_out,
            with_others=with_others,
            with_faulty=with_faulty,
            as_drawn=as_drawn,
        )

    def searched(
        self, strategies: Sequence[str] | None
    ) -> Iterator[tuple[SolvedProblem, list[list[Trajectory]]]]:
        """Usable problems, without solutions, each with the rows of its searches."""
        with (
            closing(self._solutions.problems()) as problems,
            closing(self._solutions.trees(strategies)) as trees,
        ):
            groups = groupby(_iterate_branches(trees), attrgetter("problem_id"))
            for problem, rows in join_problems(problems, groups):
                if self.checker.clean(problem) is not None:
                    yield problem, [list(search) for _, search in groupby(rows, _search_of)]

    def talks(self) -> Iterator[tuple[SolvedProblem, list[Trajectory]]]:
        """Usable problems, without solutions, each with its self-talks in random order."""
        with (
            closing(self._solutions.problems()) as problems,
            closing(self._solutions.talks()) as talks,
        ):
            groups = groupby(_iterate_branches(talks), attrgetter("problem_id"))
            for problem, rows in join_problems(problems, groups):
                if self.checker.clean(problem) is not None:
                    yield problem, list(rows)

    def originals(self) -> Iterator[SolvedProblem]:
        """Original data in a random order by the seed, each as a problem with one solution."""
        others = self._originals
        batches = self._solutions.drawn_originals() if others is None else others.drawn_right()
        with closing(batches):
            for problem in read_drawn(batches):
                if (clean := self.checker.clean(problem)) is not None and clean.solutions:
                    yield clean

    def _clean(self, solutions: Batches, *, as_sampled: bool = False) -> Iterator[SolvedProblem]:
        with closing(self._solutions.problems(as_sampled)) as problems, closing(solutions):
            for problem in solve_problems(problems, solutions):
                clean = self.checker.clean(problem)
                if clean is not None and clean.solutions:
                    yield clean


def take(values: Sequence[Value], num: int | None) -> Sequence[Value]:
    """The first `num` values; all for None."""
    return values if num is None else values[:num]


def best_scored(solutions: Sequence[Solution]) -> list[Solution]:
    """Solutions by score, the best first, equal scores in the given order; unscored ones last."""
    return sorted(solutions, key=lambda s: -s.score if s.score is not None else 1.0)


def _accuracy(survey: SolutionsSurvey) -> float:
    return survey.num_right / max(survey.num_right + survey.num_wrong, 1)


def _iterate_branches(batches: Iterable[pa.RecordBatch]) -> Iterator[Trajectory]:
    for batch in batches:
        yield from from_table(TRAJECTORIES, pa.Table.from_batches([batch]))


def _search_of(row: Trajectory) -> tuple[object, ...]:
    """What the rows of a search have in common, in the order that they are sorted by."""
    return row.strategy, row.budget, row.policy, row.verifier
