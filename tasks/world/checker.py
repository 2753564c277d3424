"""The exact step checker of the built-in world: is each line of a solution right, or why not?

It needs only the question's text. A state is the multiset of signed quantities not yet combined;
a right line combines two of them (or works out a product) and leads to new states. Any order and
grouping is right, so the checker keeps every state a solution may be in. It reads only the
calculation, not the day or the quoted words before it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.steps.segmentation import split_steps
from tasks.world.problems import WorldProblem, parse_question

StepKind = Literal[
    "ok",
    "slip",  # the right calculation with a wrong result
    "wrong_operand",  # a number that is not in the problem, or was already used
    "wrong_op",  # the right numbers, wrongly combined
    "skipped",  # an answer before everything was taken into account
    "miscopied",  # everything done, but a different number as the answer
    "malformed",  # not a line of a solution, or a line after the answer
    "after",  # after the first error, where nothing can be right
]

_CALCULATION = re.compile(
    r"(?:[A-Z][a-z]+: )?(?:\[[a-z ]+\] )?(\d{1,9}) ([-+*]) (\d{1,9}) = (\d{1,9})"
)
_ANSWER = re.compile(r"Answer: (\d{1,9})")

_Term = tuple[int, tuple[int, ...]]
"""(sign, (value,)) or (sign, (factor, factor)) of a product not worked out yet."""
_State = tuple[_Term, ...]


@dataclass(frozen=True, slots=True)
class SolutionCheck:
    """The checker's findings on a solution."""

    kinds: tuple[StepKind, ...]
    """[num_steps]"""
    answer: int | None
    """The answer given; None without one."""
    is_correct: bool
    """Whether the answer is right, regardless of the steps."""

    @property
    def first_error(self) -> int | None:
        """Index of the first wrong step; None where every step is right."""
        return next((i for i, kind in enumerate(self.kinds) if kind != "ok"), None)

    @property
    def labels(self) -> tuple[bool, ...]:
        """[num_steps] whether the solution is still right after each step."""
        return tuple(kind == "ok" for kind in self.kinds)


def check_solution(question: str, solution: str) -> SolutionCheck:
    """Check a solution line by line.

    Raises:
        ValueError: the question is not one of the built-in world.
    """
    return check_steps(parse_question(question), split_steps(solution, "\n"))


def check_steps(
    problem: WorldProblem, steps: Sequence[str], *, overlooks_slips: bool = False
) -> SolutionCheck:
    """Check a solution given as lines, with or without their newlines.

    Args:
        problem: what the solution is of.
        steps: its lines.
        overlooks_slips: take the wrong result of a right calculation for right, and go on with it.
    """
    terms = [(event.kind.sign, event.values) for event in problem.events if event.kind.sign]
    states: set[_State] = {tuple(sorted([(1, (problem.start,)), *terms]))}
    kinds: list[StepKind] = []
    answer: int | None = None
    has_erred = False
    for step in steps:
        line = step.strip()
        given = _ANSWER.fullmatch(line)
        kind: StepKind = "malformed"
        if answer is None and given:
            answer = int(given[1])
            kind = _check_answer(states, answer)
        elif answer is None:
            kind, states = _check_calculation(states, line, overlooks_slips)
        kinds.append("after" if has_erred else kind)
        has_erred = has_erred or kind != "ok"
    return SolutionCheck(tuple(kinds), answer, answer == problem.answer)


def _check_answer(states: set[_State], answer: int) -> StepKind:
    totals = {state[0][1] for state in states if len(state) == 1 and len(state[0][1]) == 1}
    if not totals:
        return "skipped"
    return "ok" if (answer,) in totals else "miscopied"


def _check_calculation(
    states: set[_State], line: str, overlooks_slips: bool
) -> tuple[StepKind, set[_State]]:
    """What a line is, and the states it leads to (none from a wrong line)."""
    match = _CALCULATION.fullmatch(line)
    if match is None:
        return "malformed", set()
    left, operator, right, result = int(match[1]), match[2], int(match[3]), int(match[4])
    next_states = {
        tuple(sorted([*move.rest, (move.sign, (result,))]))
        for state in states
        for move in _moves(state)
        if move.operator == operator and _same_operands(move, left, right)
    }
    if not next_states:
        is_there = any(Counter([left, right]) <= _numbers(state) for state in states)
        return ("wrong_op" if is_there else "wrong_operand"), set()
    true_result = {"+": left + right, "-": left - right, "*": left * right}[operator]
    if result == true_result or overlooks_slips:
        return "ok", next_states
    return "slip", set()


@dataclass(frozen=True, slots=True)
class _Move:
    """A right calculation; its result takes the place of what it combines."""

    left: int
    operator: str
    right: int
    sign: int
    """Of its result."""
    rest: _State
    """What it leaves as it is."""


def _same_operands(move: _Move, left: int, right: int) -> bool:
    if (move.left, move.right) == (left, right):
        return True
    return move.operator != "-" and (move.right, move.left) == (left, right)


def _numbers(state: _State) -> Counter[int]:
    """Every number of a state, including factors, with its count."""
    return Counter(value for _, values in state for value in values)


def _moves(state: _State) -> Iterator[_Move]:
    """Every right calculation in a state."""
    for index, (sign, values) in enumerate(state):
        if len(values) == 2:
            first, second = values
            rest = state[:index] + state[index + 1 :]
            yield _Move(first, "*", second, sign, rest)
            if second == 2:
                yield _Move(first, "+", first, sign, rest)
    for index, (sign, values) in enumerate(state):
        for other_index in range(index + 1, len(state)):
            other_sign, other_values = state[other_index]
            if len(values) == 2 or len(other_values) == 2:
                continue
            rest = tuple(t for i, t in enumerate(state) if i not in (index, other_index))
            yield from _combinations(sign, values[0], other_sign, other_values[0], rest)


def _combinations(
    sign: int, value: int, other_sign: int, other_value: int, rest: _State
) -> Iterator[_Move]:
    """The right calculation with two signed values, if its result is not below zero."""
    if sign == other_sign:
        yield _Move(value, "+", other_value, sign, rest)
        return
    plus, minus = (value, other_value) if sign > 0 else (other_value, value)
    if plus >= minus:
        yield _Move(plus, "-", minus, 1, rest)
