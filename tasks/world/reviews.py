"""Reviews of solutions of the built-in world: what they say, how they are written and read.

A review has a line per step, up to the first one that is wrong, and a verdict:

    Tuesday: [buys] right
    Wednesday: [buys for] wrong, leave out
    Review: wrong

`review` is the exact annotator: it judges every step by the exact checker and says what to do
instead. Given the problem as somebody reads it, it is that reader's review (`reviewers`). A line
`Thursday: [twice] missing, each time` stands in the place of an answer that came too early, and
`Answer: missing` after the last step of a solution without an answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from tasks.steps.segmentation import split_steps
from tasks.world.checker import StepKind, check_steps
from tasks.world.kinds import DAYS
from tasks.world.problems import Event, WorldProblem
from tasks.world.students import Hint, Note

StepVerdict = Literal["right", "wrong", "missing"]
ReviewFault = Literal[
    "no verdict",
    "too few lines",  # steps without a line, and none that is wrong
    "too many lines",  # lines after the first wrong one, or more lines than steps
    "contradiction",  # a verdict that the lines do not say
    "unreadable line",  # neither a step's line nor the verdict
    "gives an answer",  # a number as the answer: a leak
]

_LABEL = re.compile(rf"({'|'.join(DAYS)}): \[[a-z ]+\] ")
_LINE = re.compile(
    rf"(?P<label>(?:(?:{'|'.join(DAYS)}): \[[a-z ]+\] |Answer: )?)"
    rf"(?P<verdict>{'|'.join(get_args(StepVerdict))})(?:, (?P<hint>{'|'.join(get_args(Hint))}))?"
)
_VERDICT = re.compile(r"Review: (right|wrong)")
_ANSWER = re.compile(r"Answer: -?\d+")
_OPERANDS = re.compile(r"(\d+) [-+*] (\d+) =")


@dataclass(frozen=True, slots=True)
class StepReview:
    """One line of a review."""

    label: str
    """What the step begins with, such as `Tuesday: [buys] ` or `Answer: `; empty for a step that
    is no line of a solution."""
    verdict: StepVerdict
    hint: Hint | None = None
    """What to do instead, if the reviewer can say it."""

    @property
    def text(self) -> str:
        """The line, without a newline."""
        return f"{self.label}{self.verdict}" + (f", {self.hint}" if self.hint else "")


@dataclass(frozen=True, slots=True)
class Review:
    """A review, written by the annotator or read from a text."""

    lines: tuple[StepReview, ...]
    """A line per step, in the steps' order, up to the first wrong one."""
    verdict: Literal["right", "wrong"] | None
    """Of the whole solution; None in a text without one."""
    faults: tuple[ReviewFault, ...] = ()
    """What is wrong with the text itself."""

    @property
    def first_error(self) -> int | None:
        """Index of the first step not found right; None where there is none.

        The number of steps, where what is wrong is that the answer is missing.
        """
        return next((i for i, line in enumerate(self.lines) if line.verdict != "right"), None)

    @property
    def text(self) -> str:
        """The review as a policy writes it, without a newline at its end."""
        verdict = [f"Review: {self.verdict}"] if self.verdict else []
        return "\n".join([*(line.text for line in self.lines), *verdict])


def review(problem: WorldProblem, solution: str, *, sees_slips: bool = True) -> Review:
    """The exact review of a solution: the oracle annotator.

    Args:
        problem: the true problem, or the problem as a reviewer reads it.
        solution: any text; its lines are its steps.
        sees_slips: whether wrong results of right calculations are noticed.
    """
    steps = [step.strip() for step in split_steps(solution, "\n")]
    check = check_steps(problem, steps, overlooks_slips=not sees_slips)
    lines: list[StepReview] = []
    for index, kind in enumerate(check.kinds):
        if kind != "ok":
            lines.append(_find_fault(problem, steps, index, kind))
            return Review(tuple(lines), "wrong")
        lines.append(StepReview(_label(steps[index]), "right"))
    if check.answer is None:
        return Review((*lines, StepReview("Answer: ", "missing")), "wrong")
    return Review(tuple(lines), "right")


def nod(solution: str) -> Review:
    """The review that finds every line right, whatever it says."""
    labels = (_label(step.strip()) for step in split_steps(solution, "\n"))
    return Review(tuple(StepReview(label, "right") for label in labels), "right")


def parse_review(text: str, num_steps: int) -> Review:
    """Read a review from any text; whatever is wrong with the text is among its `faults`.

    Args:
        text: what a critic wrote.
        num_steps: steps of the solution that it is about.
    """
    lines: list[StepReview] = []
    verdict: Literal["right", "wrong"] | None = None
    faults: set[ReviewFault] = set()
    for raw in text.strip().splitlines():
        line = raw.strip()
        if verdict is None and (found := _VERDICT.fullmatch(line)):
            verdict = "right" if found[1] == "right" else "wrong"
        elif verdict is None and (found := _LINE.fullmatch(line)):
            lines.append(StepReview(found["label"], *_verdict_and_hint(found)))
        elif line:
            faults.add("gives an answer" if _ANSWER.fullmatch(line) else "unreadable line")
    read = Review(tuple(lines), verdict)
    faults |= _compare(read, num_steps)
    return Review(read.lines, verdict, tuple(f for f in get_args(ReviewFault) if f in faults))


def review_prompt(question: str, solution: str, key: str | None = None) -> str:
    """What a reviewer reads; `key` is a right solution, or only its last line, if they have it."""
    solution = solution.strip("\n")
    if key is None:
        return f"{question}\n{solution}\nReview:\n"
    return f"{question}\nKey:\n{key.strip(chr(10))}\nAttempt:\n{solution}\nReview:\n"


def again_prompt(question: str, solution: str, review: str | None = None) -> str:
    """What somebody reads who tries again, after a review or without one."""
    solution = solution.strip("\n")
    if review is None:
        return f"{question}\n{solution}\nAgain:\n"
    return f"{question}\n{solution}\nReview:\n{review.strip(chr(10))}\nAgain:\n"


def find_note(review: Review, problem: WorldProblem) -> Note | None:
    """What a review says to do otherwise; None if it does not say so, or of no event."""
    first_error = review.first_error
    if first_error is None:
        return None
    line = review.lines[first_error]
    event = _event_index(problem, line.label)
    return Note(event, line.hint) if event is not None and line.hint else None


def _verdict_and_hint(found: re.Match[str]) -> tuple[StepVerdict, Hint | None]:
    return found["verdict"], found["hint"]  # type: ignore[return-value]


def _compare(read: Review, num_steps: int) -> set[ReviewFault]:
    """The faults of a review's lines and verdict."""
    faults: set[ReviewFault] = set()
    first_error = read.first_error
    if read.verdict is None:
        faults.add("no verdict")
    elif (read.verdict == "wrong") != (first_error is not None):
        faults.add("contradiction")
    if first_error is None and len(read.lines) < num_steps:
        faults.add("too few lines")
    is_answer_missing = StepReview("Answer: ", "missing") in read.lines
    most = num_steps + is_answer_missing
    if first_error is not None:
        most = min(most, first_error + 1)
    if len(read.lines) > most:
        faults.add("too many lines")
    return faults


def _label(step: str) -> str:
    """What a step begins with."""
    match = _LABEL.match(step)
    if match:
        return match[0]
    return "Answer: " if step.startswith("Answer: ") else ""


def _event_index(problem: WorldProblem, label: str) -> int | None:
    """The event of the day that a label names."""
    match = _LABEL.match(label)
    if match is None:
        return None
    index = DAYS.index(match[1]) - 1
    return index if 0 <= index < len(problem.events) else None


def _find_fault(
    problem: WorldProblem, steps: Sequence[str], index: int, kind: StepKind
) -> StepReview:
    """The line about a wrong step."""
    step = steps[index]
    if kind == "skipped":
        return _find_missing(problem, steps, index)
    label = _label(step)
    if kind == "slip":
        return StepReview(label, "wrong", "the sum")
    event_index = _event_index(problem, label)
    if event_index is None or kind in ("malformed", "miscopied"):
        return StepReview(label, "wrong")
    return StepReview(label, "wrong", _correct(problem.events[event_index], step, kind))


def _find_missing(problem: WorldProblem, steps: Sequence[str], index: int) -> StepReview:
    """The line in the place of an early answer: the first event without a step of its day."""
    days = {match[1] for step in steps[:index] if (match := _LABEL.match(step))}
    for day, event in zip(DAYS[1:], problem.events, strict=False):
        if day not in days and event.kind.sign:
            is_repeated = event.kind.family == "trap B"
            hint = "each time" if is_repeated else _direction(event)
            return StepReview(f"{day}: [{event.kind.cue}] ", "missing", hint)
    return StepReview(_label(steps[index]), "wrong")


def _correct(event: Event, step: str, kind: StepKind) -> Hint:
    """What to do with an event instead of a step that is about it."""
    operands = _OPERANDS.search(step)
    numbers = sorted(map(int, operands.groups())) if operands else []
    is_product = len(event.values) == 2
    if event.kind.sign == 0:
        return "leave out"
    if kind == "wrong_operand" or (" * " in step and not is_product):
        return "not there"
    if event.kind.family == "trap B" and is_product:
        is_counted_once = event.values[0] in numbers or event.amount not in numbers
        return "each time" if is_counted_once else _direction(event)
    if is_product and " + " in step and numbers == sorted(event.values):
        return "multiply"
    return _direction(event)


def _direction(event: Event) -> Hint:
    return "add" if event.kind.sign > 0 else "take away"
