"""Solutions with their critiques and what the critiques led to, one problem at a time.

Critiques that cannot be learned from are left out and counted by reason: their engine gave none, a
token limit cut them, they have a fault (no verdict, another number of steps, a contradiction),
give the gold answer away, or repeat an earlier critique of the same solution, whose second attempts
then count for that one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

import pyarrow as pa

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import CRITIQUES, Critique, Step, from_table
from storage.critiqued import StoredCritiques
from storage.solutions import Batches
from tasks.critics.asking import ShownSolution, ask_critic
from tasks.critics.reading import fault_kind
from tasks.critics.rows import spoken
from tasks.dataset_export.checks import Checker
from tasks.dataset_export.solved import (
    OWN_COLUMNS,
    Solution,
    SolvedProblem,
    iterate_rows,
    join_problems,
)
from tasks.graders.verdicts import outcome
from tasks.prompts.formats import PromptFormat

Group = TypeVar("Group")


@dataclass(frozen=True, slots=True)
class CriticPrompts:
    """How critics were prompted."""

    prompt_format: PromptFormat
    prompt_end: str
    """How their prompts ended."""

    @classmethod
    def of(cls, prompt_format: PromptFormat, config: CritiqueFormatConfig) -> "CriticPrompts":
        """The prompts in a critique format."""
        return cls(
            prompt_format, prompt_format.build(ask_critic(config, "?", ShownSolution(("?",))))
        )

    def spoken(self, critique: Critique) -> str:
        """What an actor reads of a critique: the text without thoughts."""
        return spoken(critique, self.prompt_format)


class SecondAttempts(NamedTuple):
    """Second attempts at one solution with one critique, or without."""

    solutions: Sequence[Solution] = ()
    """The finished ones, with their grades."""
    num_trials: int = 0
    """Those that could be judged (n); one that was cut without an answer is not right."""
    num_solved: int = 0
    """Those that are right (k)."""

    @property
    def solved_share(self) -> float | None:
        """The share of right ones; None if none could be judged."""
        return self.num_solved / self.num_trials if self.num_trials else None

    @property
    def right(self) -> list[Solution]:
        """The finished ones that are right."""
        return [solution for solution in self.solutions if solution.correct]

    def join(self, others: "SecondAttempts") -> "SecondAttempts":
        """Both together."""
        return SecondAttempts(
            [*self.solutions, *others.solutions],
            self.num_trials + others.num_trials,
            self.num_solved + others.num_solved,
        )


class WrittenCritique(NamedTuple):
    """A critique and what it led to."""

    row: Critique
    attempts: SecondAttempts


class CritiquedSolution(NamedTuple):
    """A solution with its critiques."""

    solution: Solution
    shown: ShownSolution
    """What critic and actor read of it."""
    critiques: Sequence[WrittenCritique]
    """By critic, then in the order in which they were drawn."""
    policy: str
    """The id of the model that wrote the solution."""
    retries: SecondAttempts = SecondAttempts()
    """Second attempts without a critique."""


class CritiquedProblem(NamedTuple):
    """A problem with its clean solutions."""

    problem: SolvedProblem
    solutions: Sequence[CritiquedSolution]
    """In a random order."""
    worked: str | None
    """The worked solution that came with the problem."""


def read_critiqued(
    stored: StoredCritiques,
    problems: Batches,
    checker: Checker,
    left_out: Counter[str],
    *,
    with_others: bool = False,
    with_faulty: bool = False,
    as_drawn: bool = False,
) -> Iterator[CritiquedProblem]:
    """Usable problems, by id, with their clean critiqued solutions.

    Args:
        stored: the chosen critiques.
        problems: all problems, by id.
        checker: decides which problems and solutions are clean, and whether duplicates stay.
        left_out: counts critiques that are left out, by reason.
        with_others: also give solutions without critiques.
        with_faulty: also give critiques with a fault.
        as_drawn: give every critique, as for a vote among them.
    """
    with ExitStack() as stack:

        def opened(batches: Batches) -> Batches:
            return stack.enter_context(closing(batches))

        opened(problems)
        critiques = _Matching(_iterate_critiques(opened(stored.critiques())), [])
        attempts = _Matching(_iterate_attempts(opened(stored.refinements())), {})
        worked = _Matching(_iterate_worked(opened(stored.worked())), None)
        groups = groupby(_iterate_solutions(opened(stored.solutions(with_others=with_others))), _id)
        for problem, rows in join_problems(problems, groups):
            solutions = {each.solution.trajectory_id: each for _, each in rows}
            written = critiques.take(problem.problem_id)
            led_to = attempts.take(problem.problem_id)
            worked_solution = worked.take(problem.problem_id)
            clean = checker.clean(
                problem._replace(solutions=[s.solution for s in solutions.values()])
            )
            if clean is None or not clean.solutions:
                continue
            by_solution = (
                _join(written, led_to)
                if as_drawn
                else _choose(written, led_to, checker, left_out, with_faulty=with_faulty)
            )
            kept = [
                solutions[each.trajectory_id]._replace(
                    critiques=by_solution.get(each.trajectory_id, ()),
                    retries=led_to.get((each.trajectory_id, None), SecondAttempts()),
                )
                for each in clean.solutions
            ]
            yield CritiquedProblem(clean, kept, worked_solution)


_Attempts = dict[tuple[str | None, str | None], SecondAttempts]
"""By solution and critique; None for those without a critique."""


def _choose(
    written: Sequence[Critique],
    led_to: _Attempts,
    checker: Checker,
    left_out: Counter[str],
    *,
    with_faulty: bool,
) -> dict[str | None, list[WrittenCritique]]:
    """The critiques to learn from, by solution."""
    chosen: dict[str | None, dict[str, WrittenCritique]] = {}
    for row in written:
        attempts = led_to.get((row.trajectory_id, row.critique_id), SecondAttempts())
        reason = critique_fault(row, with_faulty=with_faulty, may_leak=checker.may_leak)
        if reason is not None:
            left_out[reason] += 1
            continue
        others = chosen.setdefault(row.trajectory_id, {})
        text = row.critique_id if checker.keeps_duplicates else " ".join(row.text.split())
        if (earlier := others.get(text)) is not None:
            left_out["equal_text"] += 1
            others[text] = earlier._replace(attempts=earlier.attempts.join(attempts))
        else:
            others[text] = WrittenCritique(row, attempts)
    return {name: list(others.values()) for name, others in chosen.items()}


def _join(
    written: Sequence[Critique], led_to: _Attempts
) -> dict[str | None, list[WrittenCritique]]:
    """Every critique, by solution."""
    found: dict[str | None, list[WrittenCritique]] = {}
    for row in written:
        attempts = led_to.get((row.trajectory_id, row.critique_id), SecondAttempts())
        found.setdefault(row.trajectory_id, []).append(WrittenCritique(row, attempts))
    return found


def critique_fault(
    row: Critique, *, with_faulty: bool = False, may_leak: bool = False
) -> str | None:
    """Why a critique cannot be learned from, numbers left out; None if it can.

    Args:
        row: the critique.
        with_faulty: whether a fault of what it says is none.
        may_leak: whether it may give the gold answer away.
    """
    if row.status != "finished":
        return "cut" if row.status == "truncated" else "no_answer"
    if row.fault is not None and not with_faulty:
        return fault_kind(row.fault).replace(" ", "_")
    return "leaks_answer" if row.leaks and not may_leak else None


class _Matching(Generic[Group]):
    """Groups in order of their problems, which are asked for in the same order."""

    def __init__(self, groups: Iterator[tuple[str, Group]], empty: Group) -> None:
        self._groups = groups
        self._empty = empty
        self._next = next(groups, None)

    def take(self, problem_id: str) -> Group:
        """The problem's group; the empty one if it has none."""
        while self._next is not None and self._next[0] < problem_id:
            self._next = next(self._groups, None)
        if self._next is None or self._next[0] != problem_id:
            return self._empty
        return self._next[1]


_id = itemgetter(0)


def _iterate_solutions(
    batches: Iterable[pa.RecordBatch],
) -> Iterator[tuple[str, CritiquedSolution]]:
    extra = ("policy", "thinking_tokens")
    for problem_id, *rest in iterate_rows(batches, ("problem_id", *OWN_COLUMNS, *extra)):
        *own, policy, thinking_tokens = rest
        solution = Solution(*own)
        shown = show(solution, thinking_tokens)
        yield problem_id, CritiquedSolution(solution, shown, (), policy)


def show(solution: Solution, thinking_tokens: int | None = None) -> ShownSolution:
    """What critic and actor read of a solution, whose first tokens may be thoughts."""
    counts = solution.num_tokens or (0,) * len(solution.steps)
    steps = [Step(text=t, num_tokens=n) for t, n in zip(solution.steps, counts, strict=True)]
    return ShownSolution.from_steps(steps, thinking_tokens or 0)


def _iterate_critiques(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, list[Critique]]]:
    rows = (
        row for batch in batches for row in from_table(CRITIQUES, pa.Table.from_batches([batch]))
    )
    for problem_id, group in groupby(rows, attrgetter("problem_id")):
        yield problem_id, list(group)


def _iterate_attempts(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, _Attempts]]:
    names = ("problem_id", *OWN_COLUMNS, "parent_id", "critique_id", "status")
    for problem_id, rows in groupby(iterate_rows(batches, names), _id):
        by_pair: dict[Any, list[tuple[Solution, str]]] = {}
        for _, *own, parent_id, critique_id, status in rows:
            solution = Solution(*own)
            solution = solution._replace(
                correct=outcome(
                    status, has_answer=solution.answer is not None, correct=solution.correct
                )
            )
            by_pair.setdefault((parent_id, critique_id), []).append((solution, status))
        yield problem_id, {pair: _count(drawn) for pair, drawn in by_pair.items()}


def _count(drawn: Sequence[tuple[Solution, str]]) -> SecondAttempts:
    grades = [solution.correct for solution, _ in drawn]
    return SecondAttempts(
        [solution for solution, status in drawn if status == "finished"],
        sum(grade is not None for grade in grades),
        sum(grade is True for grade in grades),
    )


def _iterate_worked(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, str | None]]:
    for row in iterate_rows(batches, ("problem_id", "solution")):
        yield row[0], row[1]
