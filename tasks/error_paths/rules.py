"""Errors put into a step of any text by rule: six kinds, each only where the text allows it.

A rule finds every way to make its error at a place. Where a number of a right calculation changes,
its result is worked out again, so that the error is where it is said to be and nowhere else.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from schemas.error_paths import RuleKind
from tasks.error_paths.calculations import (
    Calculation,
    find_calculations,
    find_numbers,
    find_results,
    replace_number,
    to_value,
    write,
)
from tasks.steps.segmentation import step_body


@dataclass(frozen=True, slots=True)
class Edit:
    """A step with an error."""

    text: str
    """With the white space at the end of the step that it stands for."""
    content: str
    """What is wrong, in words."""
    num_steps: int = 1
    """Steps of the solution that it stands for."""


@dataclass(frozen=True, slots=True)
class PlacedError:
    """An error of some kind at a place."""

    kind: str
    place: int
    """Index of the step."""
    edit: Edit

    @property
    def note(self) -> str:
        """What is known about it, in words; the name of its kind comes first."""
        return f"{self.kind}: {self.edit.content}"


Rule = Callable[[Sequence[str], int, str], Iterator[Edit]]
"""From the steps, a place and the question to every error of a kind that can be made there."""


def place_error(
    steps: Sequence[str],
    places: Sequence[int],
    question: str,
    kinds: Sequence[RuleKind],
    rng: random.Random,
) -> PlacedError | None:
    """An error of a drawn kind at a drawn place; None if no kind fits any of the places.

    Args:
        steps: the whole solution, white space at the ends of steps included.
        places: the steps that may get the error.
        question: the question of the problem.
        kinds: drawn from evenly; one that fits nowhere is drawn again.
        rng: decides kind, place and error.
    """
    for kind in rng.sample(kinds, len(kinds)):
        for place in rng.sample(places, len(places)):
            if edits := find_edits(kind, steps, place, question):
                return PlacedError(kind, place, rng.choice(edits))
    return None


def find_edits(kind: RuleKind, steps: Sequence[str], place: int, question: str) -> list[Edit]:
    """Every error of a kind that can be made at a place, without repetitions; may be empty."""
    edits = RULES[kind](steps, place, question)
    return list(dict.fromkeys(edit for edit in edits if edit.text != steps[place]))


_OTHER_OPERATOR = {"+": "*", "*": "+", "-": "/", "/": "-"}


def _arithmetic(steps: Sequence[str], place: int, question: str) -> Iterator[Edit]:
    body, tail = _parts(steps[place])
    for found in find_results(body):
        old, start = found["result"], found.start("result")
        for new in _near(old, (1, -1, 10, -10)):
            text = body[:start] + replace_number(body[start:], old, new)
            yield Edit(text + tail, f"the result is given as {new} instead of {old}")


def _operator(steps: Sequence[str], place: int, question: str) -> Iterator[Edit]:
    for found in find_calculations(step_body(steps[place])):
        told = f"instead of {found.words}"
        yield from _recalculated(steps[place], found, told, _OTHER_OPERATOR[found.operator])


def _sign(steps: Sequence[str], place: int, question: str) -> Iterator[Edit]:
    for found in find_calculations(step_body(steps[place])):
        if found.operator in "+-":
            operator = "-" if found.operator == "+" else "+"
            told = "it is added" if operator == "+" else "it is taken away"
            yield from _recalculated(
                steps[place], found, f"{told}, where {found.words} is right", operator
            )


def _miscopied(steps: Sequence[str], place: int, question: str) -> Iterator[Edit]:
    body, tail = _parts(steps[place])
    known = {found[0] for text in (question, *steps[:place]) for found in find_numbers(text)}
    calculations = find_calculations(body)
    for found in calculations:
        for side in ("left", "right"):
            old = getattr(found, side)
            for new in _miswritten(old) if old in known else ():
                yield from _recalculated(
                    steps[place], found, f"{new} is written instead of {old}", **{side: new}
                )
    if any(find_results(body)):
        return
    for found in find_numbers(body):
        is_label = body[: found.start()].strip(" *#").lower() in ("", "step")
        for new in _miswritten(found[0]) if found[0] in known and not is_label else ():
            text = body[: found.start()] + new + body[found.end() :]
            yield Edit(text + tail, f"{new} is written instead of {found[0]}")


def _earlier_number(steps: Sequence[str], place: int, question: str) -> Iterator[Edit]:
    used = dict.fromkeys(found[0] for text in steps[:place] for found in find_numbers(text))
    for found in find_calculations(step_body(steps[place])):
        for side, other in (("left", found.right), ("right", found.left)):
            old = getattr(found, side)
            for new in used:
                if new not in (old, other) and to_value(new) != to_value(old):
                    told = f"the earlier number {new} is used instead of {old}"
                    yield from _recalculated(steps[place], found, told, **{side: new})


def _left_out(steps: Sequence[str], place: int, question: str) -> Iterator[Edit]:
    if place + 1 >= len(steps):
        return
    earlier = {found["result"] for text in steps[:place] for found in find_results(text)}
    for skipped in find_calculations(step_body(steps[place])):
        unchanged = skipped.right if skipped.right in earlier else skipped.left
        for found in find_calculations(step_body(steps[place + 1])):
            for side in ("left", "right"):
                if getattr(found, side) == skipped.result:
                    told = f"the step with {skipped.words} is left out"
                    next_step, sides = steps[place + 1], {side: unchanged}
                    for edit in _recalculated(next_step, found, told, **sides):
                        yield replace(edit, num_steps=2)


RULES: dict[RuleKind, Rule] = {
    "arithmetic": _arithmetic,
    "operator": _operator,
    "miscopied": _miscopied,
    "left_out": _left_out,
    "earlier_number": _earlier_number,
    "sign": _sign,
}
"""The rule of each kind."""


def _recalculated(
    step: str,
    calculation: Calculation,
    told: str,
    operator: str | None = None,
    *,
    left: str | None = None,
    right: str | None = None,
) -> Iterator[Edit]:
    """The step with another calculation and its result, if it has one."""
    text = calculation.changed(left, operator, right)
    if text is not None:
        before = calculation.words
        new = find_calculations(text)
        shown = next((each.words for each in new if each.words != before), None)
        content = told if shown is None or operator is None else f"{shown}: {told}"
        yield Edit(text + step[len(step_body(step)) :], content)


def _parts(step: str) -> tuple[str, str]:
    """A step's body, and the white space after it."""
    body = step_body(step)
    return body, step[len(body) :]


def _near(number: str, distances: Sequence[int]) -> Iterator[str]:
    """Numbers that differ in a digit's place or two; none below zero."""
    digits = len(number.partition(".")[2])
    for distance in distances:
        value = to_value(number) + to_value(str(abs(distance))).scaleb(-digits) * (
            1 if distance > 0 else -1
        )
        if value >= 0:
            yield write(value, number)


def _miswritten(number: str) -> Iterator[str]:
    """A number with two neighbouring digits swapped, or one off by one."""
    for i in range(len(number) - 1):
        pair = number[i : i + 2]
        if pair.isdigit() and pair[0] != pair[1] and not (i == 0 and pair[1] == "0"):
            yield number[:i] + pair[::-1] + number[i + 2 :]
    yield from _near(number, (1, -1))
