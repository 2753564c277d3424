"""The built-in world's own voice: a review as somebody says it to themselves.

    Tuesday: [buys] Yes, that is right.
    Wednesday: [buys for] Wait, that is wrong: I should leave it out.
    So the answer is wrong.

Every phrase is a token or a few. `say` and `hear` are each other's inverse, line by line.
"""

import re

from tasks.world.reviews import Review, StepReview, StepVerdict
from tasks.world.students import Hint

CHECK = "Let me check that."
"""Before a review."""
RETRY = "Let me try that again."
"""Before another attempt."""
RESUME = "Let me go on from there."
"""Before the steps that follow a correction."""
AT_EASE = "So the answer is right."
IN_DOUBT = "So the answer is wrong."

_VERDICTS: dict[StepVerdict, str] = {
    "right": "Yes, that is right",
    "wrong": "Wait, that is wrong",
    "missing": "Wait, I have missed that",
}
_HINTS: dict[Hint, str] = {
    "add": ": I should add it",
    "take away": ": I should take it away",
    "leave out": ": I should leave it out",
    "each time": ": I should count it each time",
    "multiply": ": I should multiply",
    "the sum": ": I should do the sum again",
    "not there": ": it is not there",
}
PHRASES = (CHECK, RETRY, RESUME, AT_EASE, IN_DOUBT, *_VERDICTS.values(), *_HINTS.values())
"""All that the voice says besides a line's label and its full stop."""

_LINE = re.compile(
    rf"(?P<label>.*?)(?P<verdict>{'|'.join(_VERDICTS.values())})(?P<hint>{'|'.join(_HINTS.values())})?\."
)
_VERDICT_OF: dict[str, StepVerdict] = {phrase: verdict for verdict, phrase in _VERDICTS.items()}
_HINT_OF: dict[str, Hint] = {phrase: hint for hint, phrase in _HINTS.items()}


def say(line: StepReview) -> str:
    """A line of a review in the first person, without a newline."""
    hint = _HINTS[line.hint] if line.hint else ""
    return f"{line.label}{_VERDICTS[line.verdict]}{hint}."


def hear(text: str) -> StepReview | None:
    """The line of a review that this says; None if it says none."""
    match = _LINE.fullmatch(text.strip("\n"))
    if match is None:
        return None
    hint = _HINT_OF[match["hint"]] if match["hint"] else None
    return StepReview(match["label"], _VERDICT_OF[match["verdict"]], hint)


def say_review(review: Review) -> str:
    """A whole review in the first person, its verdict at the end, without a newline there."""
    verdict = {"right": [AT_EASE], "wrong": [IN_DOUBT], None: []}[review.verdict]
    return "\n".join([*map(say, review.lines), *verdict])


def hear_review(text: str) -> Review | None:
    """The review that a text in the first person says; None unless every line of it is one."""
    lines = text.strip("\n").split("\n")
    verdict = {AT_EASE: "right", IN_DOUBT: "wrong"}.get(lines[-1])
    heard = [hear(line) for line in (lines[:-1] if verdict else lines)]
    if not all(heard):
        return None
    return Review(tuple(line for line in heard if line), verdict)  # type: ignore[arg-type]
