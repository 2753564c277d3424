"""The built-in world's own voice: a review as somebody says it to themselves.

    Tuesday: [buys] Yes, that is right.
    Wednesday: [buys for] Wait, that is wrong: I should leave it out.
    So the answer is wrong.

Every phrase is one token.
"""

from tasks.world.reviews import StepReview, StepVerdict
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


def say(line: StepReview) -> str:
    """A line of a review in the first person, without a newline."""
    hint = _HINTS[line.hint] if line.hint else ""
    return f"{line.label}{_VERDICTS[line.verdict]}{hint}."
