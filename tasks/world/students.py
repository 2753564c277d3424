"""Simulated students: they write the solutions that the shipped policy learns from.

Each has a skill and persistent misconceptions: a student who reads "Ana buys 7 books from Hugo" as
a gain for Hugo does so throughout the solution, and everything after a mistake is consistent with
it. So a policy trained on them is a mixture of people, confidently wrong where most people are.
A solution has a line per calculation, `Tuesday: [buys from] 34 - 7 = 27`, and ends with
`Answer: 27`; the brackets quote the words the line is based on. A student stays the same person
from one attempt to the next, and may follow a note on one event.
"""

import math
import random
from dataclasses import dataclass, field, replace
from typing import Literal

from tasks.world.kinds import DAYS, Kind
from tasks.world.problems import Event, WorldProblem

Hint = Literal["add", "take away", "leave out", "each time", "multiply", "the sum", "not there"]
"""What to do with an event instead of what was done; "not there" says: not done at all or once."""

SKILL_EFFECT = 2.4
"""How much skill changes a misconception's log odds, from the best student to the worst."""
P_FOLLOWS = 0.95
"""How consistently a student follows a common misconception from one use to the next."""
RARE_RATE = 0.2
"""A misconception rarer than this is always followed."""

P_ADDS_PRODUCT = 0.10
"""Misconception: 2 bags of 4 are 2 + 4."""
P_FORGETS = 0.07
P_FORGETS_EVENT = 0.35
"""Probability that a forgetful student leaves out an event."""
P_REPEATS = 0.03
P_REPEATS_EVENT = 0.4
P_STOPS_EARLY = 0.03
"""Misconception: the last event does not count."""

P_PRODUCTS_FIRST = 0.2
P_SWAPS_FACTORS = 0.18
P_SWAPS_TERMS = 0.06


@dataclass(frozen=True, slots=True)
class Note:
    """What a review says about one event."""

    event: int
    """Index among the problem's events."""
    hint: Hint


_Product = tuple[int, str, int]
"""(left, operator, right)"""


@dataclass(slots=True)
class _Move:
    """What a student intends to do about one event."""

    label: str
    sign: int
    value: int
    product: _Product | None
    """To be worked out before the value is known."""
    is_careful: bool = False
    """Without slips."""


@dataclass(slots=True)
class Student:
    """One student, who keeps skill and misconceptions from one attempt to the next."""

    rng: random.Random
    is_flawless: bool
    skill: float
    misconceptions: dict[str, bool] = field(default_factory=dict)
    plan: list[list[_Move]] = field(default_factory=list)
    """What they intended to do about each event when they last tried."""
    does_products_first: bool = False

    def errs(self, name: str, rate: float) -> bool:
        """Whether the student makes this mistake; `rate` is how common it is at medium skill."""
        if self.is_flawless:
            return False
        if name not in self.misconceptions:
            log_odds = math.log(rate / (1 - rate)) + SKILL_EFFECT * (0.5 - self.skill)
            self.misconceptions[name] = self.rng.random() < 1 / (1 + math.exp(-log_odds))
        has_misconception = self.misconceptions[name]
        if self.rng.random() < P_FOLLOWS or rate <= RARE_RATE:
            return has_misconception
        return not has_misconception

    def compute(self, result: int, move: _Move) -> int:
        """A result as the student writes it: sometimes off by one or by ten."""
        if (
            not self.is_flawless
            and not move.is_careful
            and self.rng.random() < 0.004 + 0.01 * (1 - self.skill)
        ):
            return result + self.rng.choice((1, -1, 10))
        return result


def draw_student(rng: random.Random, *, flawless: bool = False) -> Student:
    """A student of uniform skill, whose misconceptions are drawn where they first matter."""
    return Student(rng, flawless, skill=rng.random())


def write_solution(problem: WorldProblem, rng: random.Random, *, flawless: bool = False) -> str:
    """One student's solution, without a newline at its end.

    Args:
        problem: what to solve.
        rng: decides who the student is and everything they do.
        flawless: no mistakes; the form of the solution still varies.
    """
    return solve(problem, rng, flawless=flawless)[1]


def solve(
    problem: WorldProblem, rng: random.Random, *, flawless: bool = False
) -> tuple[Student, str]:
    """A student and their solution, as `write_solution` draws it."""
    while True:
        student = draw_student(rng, flawless=flawless)
        solution = attempt(problem, student)
        # A student whose count drops below zero notices the mistake: another student tries.
        if solution is not None:
            return student, solution


def attempt(problem: WorldProblem, student: Student) -> str | None:
    """A fresh attempt of a student; None if the count drops below zero."""
    student.does_products_first = student.rng.random() < P_PRODUCTS_FIRST
    student.plan = _plan(problem, student)
    return _carry_out(problem, student)


def revise(problem: WorldProblem, student: Student, note: Note) -> str | None:
    """The student's last attempt once more, but for the event that a note names.

    Args:
        problem: of the last attempt.
        student: who follows the note, whatever they think of it.
        note: what to do with one event.

    Returns:
        The new attempt; None if the count drops below zero.
    """
    student.plan[note.event] = _follow(problem, student, note)
    return _carry_out(problem, student)


def _plan(problem: WorldProblem, student: Student) -> list[list[_Move]]:
    """What the student intends to do about each event."""
    is_forgetful = student.errs("forgets", P_FORGETS)
    is_repetitive = student.errs("repeats", P_REPEATS)
    is_hasty = student.errs("stops early", P_STOPS_EARLY)
    plan: list[list[_Move]] = []
    for index, event in enumerate(problem.events):
        plan.append([])
        sign, product = _read_event(event, student)
        if not sign:
            continue
        if is_forgetful and student.rng.random() < P_FORGETS_EVENT:
            continue
        num_times = 2 if is_repetitive and student.rng.random() < P_REPEATS_EVENT else 1
        plan[-1] = [_Move(_label(index, event), sign, event.values[0], product)] * num_times
    if is_hasty and any(plan):
        next(moves for moves in reversed(plan) if moves).pop()
    return plan


def _carry_out(problem: WorldProblem, student: Student) -> str | None:
    """The text of what a student intends to do; None if the count drops below zero."""
    moves = [replace(move) for moves in student.plan for move in moves]
    lines: list[str] = []
    if student.does_products_first:
        for move in moves:
            _work_out_product(move, student, lines)
    total = problem.start
    for move in moves:
        _work_out_product(move, student, lines)
        if move.sign < 0 and total < move.value:
            return None
        left, right = total, move.value
        result = student.compute(total + move.sign * move.value, move)
        if move.sign > 0 and student.rng.random() < P_SWAPS_TERMS:
            left, right = right, left
        lines.append(f"{move.label}{left} {'+' if move.sign > 0 else '-'} {right} = {result}")
        total = result
    return None if total < 0 else "\n".join([*lines, f"Answer: {total}"])


def _follow(problem: WorldProblem, student: Student, note: Note) -> list[_Move]:
    """What a student who follows a note does about its event, and does with care."""
    event = problem.events[note.event]
    is_repeated = event.kind.family == "trap B"
    has_done_it_twice = len(student.plan[note.event]) > 1
    sign, product = _read_event(event, student)
    match note.hint:
        case "add" | "take away":
            sign = 1 if note.hint == "add" else -1
        case "leave out":
            sign = 0
        case "each time" if is_repeated:
            sign, product = event.kind.sign, _write_repeated(event.kind, event.values, student.rng)
        case "multiply" if len(event.values) == 2:
            product = event.values[0], "*", event.values[1]
        case "not there" if is_repeated and not has_done_it_twice:
            product = None
    if not sign:
        return []
    return [_Move(_label(note.event, event), sign, event.values[0], product, is_careful=True)]


def _label(index: int, event: Event) -> str:
    return f"{DAYS[index + 1]}: [{event.kind.cue}] "


def _read_event(event: Event, student: Student) -> tuple[int, _Product | None]:
    """The sign the student gives an event, and the product they work out for it."""
    kind = event.kind
    is_wrong = student.errs(kind.name, kind.error_rate)
    sign = kind.wrong_sign if is_wrong else kind.sign
    if kind.family == "trap B":
        # The misreading is to count the quantity once.
        return sign, None if is_wrong else _write_repeated(kind, event.values, student.rng)
    if len(event.values) == 1:
        return sign, None
    outer, inner = event.values
    if student.errs("adds product", P_ADDS_PRODUCT):
        return sign, (outer, "+", inner)
    if student.rng.random() < P_SWAPS_FACTORS:
        return sign, (inner, "*", outer)
    return sign, (outer, "*", inner)


def _write_repeated(kind: Kind, values: tuple[int, ...], rng: random.Random) -> _Product:
    """One of the right ways to write a quantity that occurs several times."""
    quantity, num_times = values
    draw = rng.random()
    if kind.name == "twice" and draw < 0.26:
        return quantity, "+", quantity
    if draw < 0.5:
        return quantity, "*", num_times
    return num_times, "*", quantity


def _work_out_product(move: _Move, student: Student, lines: list[str]) -> None:
    """Write the line of a move's product, if it has one left, and use its result."""
    if move.product is None:
        return
    left, operator, right = move.product
    move.value = student.compute(left * right if operator == "*" else left + right, move)
    lines.append(f"{move.label}{left} {operator} {right} = {move.value}")
    move.product = None
