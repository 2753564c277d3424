r"""Where a text says its answer: three marks, tried in a fixed order.

1. The content of the last `\boxed{...}` whose braces balance. A box that is never closed is no
   answer, however much of it was written; an empty one is none either.
2. Else what follows the last of `Answer: X`, `answer is X` and `#### X`, whichever of them stands
   last in the text: the rest of its line (or the next line, where nothing follows the mark), up to
   the end of the sentence. If a box was opened there, it was not closed, and there is no answer.
3. Else nothing, unless the caller asks for the last number. That credits numbers that were never
   meant as the answer, so it is off by default.

Time is linear in the text, whatever it holds.
"""

import re

_BOX = "\\boxed"
# Escapes are read whole, so that `\{` opens nothing and `\\{` opens a brace.
_BRACE = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
_MARK = re.compile(
    r"####|\banswer(?:\*\*)?(?:\s{0,3}[:=](?:\*\*)?|\s{1,3}is\b(?:\s{0,3}:)?)", re.IGNORECASE
)
_LINE = re.compile(r"\s*([^\n]*)")
_GSM8K_MARK = "####"
_SENTENCE_END = re.compile(r"\.(?=\s|$)")
_NUMBER = re.compile(r"(?<![\w.])-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
_AROUND = " \t\r\n*`\"'"


def extract_answer(text: str, *, last_number: bool = False) -> str | None:
    """Give the answer a text marks, or None.

    Args:
        text: a whole solution.
        last_number: fall back on the last number of a text that marks no answer.
    """
    answer = _last_boxed(text)
    if answer is None:
        answer = _last_marked(text)
    if answer is None and last_number:
        for match in _NUMBER.finditer(text):
            answer = match.group().rstrip(",")
    return answer


def gold_from_solution(solution: str) -> str | None:
    r"""Give the bare gold answer of a reference solution: `#### X` (GSM8K), else the last box."""
    mark = solution.rfind(_GSM8K_MARK)
    if mark >= 0:
        return solution[mark + len(_GSM8K_MARK) :].strip() or None
    return _last_boxed(solution)


def _last_boxed(text: str) -> str | None:
    """Content of the last closed, non-empty box; of nested ones the inner."""
    start = text.find(_BOX)
    if start < 0:
        return None
    open_braces: list[int | None] = []
    last: tuple[int, int] | None = None
    for match in _BRACE.finditer(text, start):
        token = match.group()
        if token == "}":
            opened = open_braces.pop() if open_braces else None
            if opened is None or (last is not None and opened < last[0]):
                continue
            if text[opened : match.start()].strip():
                last = (opened, match.start())
        elif token == "{":
            open_braces.append(None)
        elif token.startswith(_BOX):
            open_braces.append(match.end())
    return text[last[0] : last[1]].strip() if last is not None else None


def _last_marked(text: str) -> str | None:
    """The line behind the last mark, without markup and the rest of the sentence."""
    mark = None
    for mark in _MARK.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    if mark is None:
        return None
    line = _LINE.match(text, mark.end())
    assert line is not None
    answer = line.group(1)
    if _BOX in answer:
        return None
    sentence_end = _SENTENCE_END.search(answer)
    if sentence_end is not None:
        answer = answer[: sentence_end.start()]
    return answer.strip(_AROUND) or None
