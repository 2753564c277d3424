"""Problems with their solutions as Python values, a problem at a time, from record batches."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from tasks.steps.token_ids import split_ids

Rows = TypeVar("Rows")


class Solution(NamedTuple):
    """A solution and facts about it; a tuple, since a set can have millions of them."""

    trajectory_id: str | None
    """None for a worked solution that came with the problem."""
    steps: Sequence[str]
    """[num_steps] texts as stored."""
    correct: bool | None
    answer: str | None
    score: float | None
    """The verifier's score, reduced to one value."""
    token_ids: Sequence[int] | None = None
    """The tokens that were sampled, end of text included; None if they are not known."""
    num_tokens: Sequence[int] | None = None
    """[num_steps] how many of them each step has."""
    vocabulary: str | None = None
    """The vocabulary of the tokens (see tasks.models.vocabulary)."""
    labels: Sequence[bool | None] | None = None
    """[num_steps] the labels; None for a step without one."""
    soft: Sequence[float | None] | None = None
    """[num_steps] the solved fractions; None for a step whose label has none."""

    @property
    def text(self) -> str:
        """The whole solution."""
        return "".join(self.steps)

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of its trajectory, if it has one."""
        return () if self.trajectory_id is None else (self.trajectory_id,)

    @property
    def step_ids(self) -> list[tuple[int, ...]] | None:
        """[num_steps] the tokens of each step."""
        if self.token_ids is None or self.num_tokens is None:
            return None
        return split_ids(self.token_ids, self.num_tokens)


class SolvedProblem(NamedTuple):
    """A problem and some of its solutions, in the order of the source."""

    problem_id: str
    source: str
    question: str
    gold: str
    level: int | None
    solutions: Sequence[Solution]

    @property
    def right(self) -> list[Solution]:
        """The solutions with the right answer."""
        return [solution for solution in self.solutions if solution.correct]

    @property
    def wrong(self) -> list[Solution]:
        """The solutions with a wrong answer."""
        return [solution for solution in self.solutions if solution.correct is False]


OWN_COLUMNS = (
    "trajectory_id",
    "steps",
    "correct",
    "answer",
    "score",
    "token_ids",
    "num_tokens",
    "vocabulary",
)
"""Columns of the first fields of a solution, in order."""


def iterate_rows(
    batches: Iterable[pa.RecordBatch], names: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """The rows of record batches as tuples of the named columns."""
    for batch in batches:
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def solve_problems(
    problems: Iterable[pa.RecordBatch], solutions: Iterable[pa.RecordBatch]
) -> Iterator[SolvedProblem]:
    """Problems that have solutions, each with all of them.

    Args:
        problems: problems in order of their ids.
        solutions: solutions in the same order; labelled ones also have the columns of labels.

    Raises:
        ValueError: a solution's problem is not among the problems, or a label occurs twice.
    """
    groups = groupby(_iterate_solutions(solutions), itemgetter(0))
    for problem, group in join_problems(problems, groups):
        yield problem._replace(solutions=[solution for _, solution in group])


def join_problems(
    problems: Iterable[pa.RecordBatch], groups: Iterable[tuple[str, Rows]]
) -> Iterator[tuple[SolvedProblem, Rows]]:
    """The problem of each group of rows, without solutions, and the group.

    Args:
        problems: problems in order of their ids.
        groups: problem ids in the same order, each with its rows.

    Raises:
        ValueError: a group's problem is not among the problems.
    """
    known = iterate_rows(problems, ("problem_id", "source", "question", "gold", "level"))
    for problem_id, rows in groups:
        found = next((problem for problem in known if problem[0] == problem_id), None)
        if found is None:
            raise ValueError(f"problem {problem_id}: expected it among the pool's problems")
        yield SolvedProblem._make((*found, [])), rows


def read_drawn(batches: Iterable[pa.RecordBatch]) -> Iterator[SolvedProblem]:
    """Solutions with the columns of their problem, each as a problem with one solution."""
    names = ("problem_id", "source", "question", "gold", "level")
    for row in iterate_rows(batches, (*names, *OWN_COLUMNS)):
        yield SolvedProblem._make((*row[:5], [Solution(*row[5:])]))


def _iterate_solutions(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, Solution]]:
    names = ("problem_id", *OWN_COLUMNS)
    for batch in batches:
        if "labels" not in batch.schema.names:
            for problem_id, *rest in iterate_rows([batch], names):
                yield problem_id, Solution(*rest)
            continue
        for problem_id, *rest, places, labels, soft in iterate_rows(
            [batch], (*names, "labelled_steps", "labels", "soft")
        ):
            solution = Solution(*rest)
            yield (
                problem_id,
                solution._replace(
                    labels=_place(labels or (), places or (), solution),
                    soft=_place(soft or (), places or (), solution),
                ),
            )


def _place(labels: Sequence[Any], places: Sequence[int], solution: Solution) -> list[Any]:
    """[num_steps] the label of each step."""
    if len(set(places)) < len(places) or not all(0 <= p < len(solution.steps) for p in places):
        raise ValueError(
            f"trajectory {solution.trajectory_id}: expected at most one label for each of its "
            f"{len(solution.steps)} steps, got labels of steps {list(places)}"
        )
    placed: list[Any] = [None] * len(solution.steps)
    for place, label in zip(places, labels, strict=True):
        placed[place] = label
    return placed
