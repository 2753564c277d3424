r"""Finding the answer in a text. The same rule applies to model and reference solutions.

Full-width characters are read, and returned, as ordinary ones.
Text in a thought (`<think>…</think>`) is not an answer; a thought that never ends contains none.
In the rest, in this order:

1. The text after the last of the caller's own marks, if any are given.
2. The content of the last `\boxed{…}`, `\fbox{…}` or `\boxed 2` that is closed and not empty. Boxes
   side by side (`\boxed{3}, \boxed{5} or \boxed{7}`) are one answer. A box that is never closed is
   not an answer, however much of it was written.
3. The text after the last mark that is followed by an answer (`marks`): `Answer: X`, `answer is X`,
   `#### X`, `<answer>X</answer>` and the like, in English and Chinese. If a box opens
   there, it is never closed, and the text has no answer.
4. None, unless the caller wants the last number. That credits numbers that were never meant as the
   answer, so it is off by default.

The time is linear in the length of the text, whatever it contains.
"""

import hashlib
import json
import re
from collections.abc import Sequence

from schemas.thinking import THOUGHT_TAGS
from tasks.graders.boxes import last_boxed
from tasks.graders.marks import last_marked, last_own_mark

_NUMBER = re.compile(r"(?<![\w.])-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
_FULL_WIDTH = re.compile("[\uff01-\uff5e\u3000]")
_HALF_WIDTH = {0x3000: " ", **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}}
_THOUGHT = re.compile(
    f"(?P<end>{'|'.join(re.escape(end) for _, end in THOUGHT_TAGS)})"
    f"|{'|'.join(re.escape(start) for start, _ in THOUGHT_TAGS)}",
    re.IGNORECASE,
)


def extract_answer(
    text: str, *, last_number: bool = False, marks: Sequence[str] | str = ()
) -> str | None:
    """Return the answer that a text marks, or None.

    Args:
        text: a whole solution.
        last_number: fall back on the last number of a text that marks no answer.
        marks: texts that come before an answer, or one regular expression, tried first.
    """
    if not text.isascii() and _FULL_WIDTH.search(text) is not None:
        text = text.translate(_HALF_WIDTH)
    text = without_thoughts(text)
    answer = last_own_mark(text, marks) if marks else None
    if answer is None:
        answer = last_boxed(text)
    if answer is None:
        answer = last_marked(text)
    if answer is None and last_number:
        for match in _NUMBER.finditer(text):
            answer = match.group().rstrip(",")
    return answer


def gold_from_solution(solution: str) -> str | None:
    """Return the bare gold answer of a reference solution, by the rule for every other text."""
    return extract_answer(solution)


def name_marks(marks: Sequence[str] | str) -> str:
    """The suffix that a caller's own marks add to a grader's name; empty if none are given."""
    if not marks:
        return ""
    written = marks if isinstance(marks, str) else json.dumps(list(marks))
    return f"+marks-{hashlib.sha256(written.encode()).hexdigest()[:8]}"


def without_thoughts(text: str) -> str:
    """The text after the last thought; a thought may have begun before the text does."""
    if "<" not in text and "[" not in text and "◁" not in text:
        return text
    kept: list[str] = []
    start: int | None = 0
    for match in _THOUGHT.finditer(text):
        if match["end"] is not None:
            kept.clear()
            start = match.end()
        elif start is not None:
            kept.append(text[start : match.start()])
            start = None
    if start is not None:
        kept.append(text[start:])
    return "".join(kept)
