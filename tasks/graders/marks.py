r"""The answer after a mark such as `Answer:` or `####`, up to its end.

An answer is the rest of the mark's line (or the first line after it that is not empty, or the
display mathematics on the lines after it), up to the end of the sentence or to a clause that
explains it (`9, because …`). A heading (`#### Explanation`) or a remark (`the answer is correct`)
is not an answer if a mark before it has one.
"""

import re
from collections.abc import Iterator, Sequence

from tasks.graders.boxes import holds_box, last_boxed

_MAX_TRIED = 4
"""Maximum number of marks read from the end; earlier ones are ignored."""
_MAX_CHARS = 5000
_ANSWER = re.compile(
    r"answer(?:\*\*)?(?:\s{0,3}[:=\uff1a\uff1d](?:\*\*)?"
    r"|\s{1,3}(?:to (?:the|this) (?:question|problem) )?"
    r"(?:is|equals|would be|should be|must be)\b(?:\s{0,3}[:\uff1a])?)"
    r"|answers\s{1,3}are\b(?:\s{0,3}:)?|ans\.?\s{0,3}[:=]",
    re.IGNORECASE,
)
_HEADING_START = re.compile(
    r"[ \t]{0,3}(?:#{1,6}[ \t]{0,3})?\**(?:the )?(?:final )?", re.IGNORECASE
)
_HEADING_END = re.compile(r"answer\**:?\**[ \t]{0,9}(?=\n|\Z)", re.IGNORECASE)
_MAX_HEADING = 30
_CHOICE = re.compile(r"(?:option|choice)\s{1,3}is\b(?:\s{0,3}:)?", re.IGNORECASE)
_BEFORE_CHOICE = re.compile(r"\b(?:correct|right)\s\Z", re.IGNORECASE)
_HAN = re.compile(
    r"故选\s{0,3}[:\uff1a]?"
    r"|(?:答案|答)(?:\*\*)?\s{0,3}(?:[:\uff1a=\uff1d是为]|应为|等于|选)(?:\*\*)?\s{0,3}[:\uff1a]?"
)
_HINTS = ("####", "ans", "option is", "choice is")
_HAN_HINTS = ("答", "故选")
_DISPLAYS = (
    ("\\[", "\\]"),
    ("$$", "$$"),
    ("\\begin{equation*}", "\\end{equation*}"),
    ("\\begin{equation}", "\\end{equation}"),
    ("\\begin{align*}", "\\end{align*}"),
)
_BLANK = re.compile(r"[\s*`_:\uff1a]*")
_LINE = re.compile(r"[^\n]*")
_SENTENCE_END = re.compile(
    r"(?<![ap]\.m)\.(?=\s|$|\*\*)|[!?](?=\s|$|\*\*)(?!\s*=)|[。\uff01\uff1f]"
)
_CLAUSE = re.compile(
    r"[,;\uff0c]\s*\(?(?:because|since|as|which|so|where|thus|hence|therefore|meaning|i\.e\.|but"
    r"|due|given|when|if|after|that|this|there|from|by|not|we|he|she|they|it|the"
    r"|and (?:so|we|this|it|the))\b"
    r"|[,\uff0c\uff1b]\s*(?:因为|所以|因此|故|即)",
    re.IGNORECASE,
)
_BARE_CLAUSE = re.compile(
    r"(?<=\s)\(?(?:because|since|which|where|so|due to|given that|i\.e\.|meaning|therefore|hence"
    r"|thus|when|after|as (?:required|desired|expected|needed|claimed|shown|above|stated))\b",
    re.IGNORECASE,
)
_REMARK = re.compile(r"\s+\((?=[^()\\]*[A-Za-z]{3})[^()]*(?:\([^()]*\)[^()]*)*\)\s*$")
_UNIT = re.compile(r"\s*\([A-Za-z][A-Za-z .'-]*\)\s*$")
_ADVERB = re.compile(
    r"(?:[,:]?\s*(?:therefore|thus|then|hence|so|simply|just|indeed|clearly|actually|also|now"
    r"|equal[ ]to|given[ ]by|found[ ]to[ ]be|that)\b[,:]?|[:\uff1a=\uff1d])\s*",
    re.IGNORECASE,
)
_MATHEMATICS = re.compile(r"[\d$\\^=+<>/∞πº√]|\A\W*[A-Za-z]\W*\Z")
_REMARK_WORD_LIST = """
a above all also an as at below check clear correct correctly explained explanation false for found
given great here i if in incorrect indeed it its not note notes now obtained obvious of only our
please rather right rounded see shown solution step steps that then therefore these this thus to
verified verify we what wrong your
"""
_REMARK_WORDS = frozenset(_REMARK_WORD_LIST.split())
_NUMBER_LINE = re.compile(r"([+-]?\d+(?:\.\d+)?)\.?[ \t]*(?:\n|\Z)")
_WORD = re.compile(r"[^\W\d_]+")
_AROUND = " \t\r\n*`\"'\u201c\u201d"


def last_marked(text: str) -> str | None:
    """The text after the last mark that is followed by an answer, without markup."""
    found: str | None = None
    for hint, end in _last_marks(text):
        answer, is_cut = _read_after(text, end, is_tag=hint == "<")
        if is_cut:
            return found
        if answer is None:
            continue
        if not _is_remark(answer, hint):
            return answer
        if found is None:
            found = answer
    return found


def last_own_mark(text: str, marks: Sequence[str] | str) -> str | None:
    """The text after the last of the caller's marks.

    Args:
        text: the text outside of thoughts.
        marks: texts, or one regular expression, whose first group is the answer if it has one.
    """
    if isinstance(marks, str):
        pattern = re.compile(marks)
    else:
        pattern = re.compile("|".join(_literal(mark) for mark in marks))
    match = None
    for match in pattern.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    if match is None:
        return None
    if pattern.groups:
        answer = next((group for group in match.groups() if group is not None), None)
        return (answer.strip(_AROUND) or None) if answer is not None else None
    return _read_after(text, match.end())[0]


def _literal(mark: str) -> str:
    """A mark that begins with a letter does not begin inside a word: `A:` is not in `DNA:`."""
    return (r"(?<!\w)" if mark[:1].isalnum() else "") + re.escape(mark)


def _last_marks(text: str) -> Iterator[tuple[str, int]]:
    """The beginnings of the last marks and where they end, the last one first.

    It searches for fixed words from the end, which takes a fraction of the time that one expression
    for all marks takes on the whole text.
    """
    lower, hints = text.lower(), _HINTS
    if not text.isascii():
        hints = (*_HINTS, *_HAN_HINTS)
        if len(lower) != len(text):  # letters whose lower case is longer
            lower = text
    places = {hint: lower.rfind(hint) for hint in hints}
    num_found = 0
    while num_found < _MAX_TRIED:
        hint = max(places, key=places.__getitem__)
        start = places[hint]
        if start < 0:
            return
        mark = _mark_at(text, hint, start)
        if mark is not None:
            num_found += 1
            yield mark
        places[hint] = lower.rfind(hint, 0, start)


def _mark_at(text: str, hint: str, start: int) -> tuple[str, int] | None:
    """The beginning of the mark at a position and where it ends; None if no mark is there."""
    if hint == "####":
        return None if text[start + 4 : start + 5] == "#" else (hint, start + 4)
    before = text[start - 1 : start]
    if hint in _HAN_HINTS:
        match = _HAN.match(text, start)
    elif hint in ("option is", "choice is"):
        match = _CHOICE.match(text, start)
        if _BEFORE_CHOICE.search(text, max(0, start - 10), start) is None:
            match = None
    elif before == "<" and text.startswith("wer>", start + 3):
        return "<", start + 7
    else:
        is_inside = before.isalnum() or before == "_"
        match = None if is_inside else _ANSWER.match(text, start) or _heading_at(text, start)
    return None if match is None else (hint, match.end())


def _heading_at(text: str, start: int) -> re.Match[str] | None:
    """The end of a line that contains only `Answer`."""
    line_start = text.rfind("\n", max(0, start - _MAX_HEADING), start) + 1
    if line_start == 0 and start > _MAX_HEADING:
        return None
    if _HEADING_START.fullmatch(text, line_start, start) is None:
        return None
    return _HEADING_END.match(text, start)


def _read_after(text: str, start: int, *, is_tag: bool = False) -> tuple[str | None, bool]:
    """The text after a mark, and whether it was cut off before its end."""
    blank = _BLANK.match(text, start)
    assert blank is not None
    start = blank.end()
    if not is_tag and (number := _NUMBER_LINE.match(text, start)) is not None:
        return number.group(1), False
    part = text[start : start + _MAX_CHARS]
    if is_tag:
        inside, closing, _ = part.partition("</answer>")
        if not closing:
            return None, True
        return (last_boxed(inside) or last_marked(inside) or inside.strip(_AROUND) or None), False
    for opening, closing in _DISPLAYS:
        if part.startswith(opening):
            inside, end, _ = part[len(opening) :].partition(closing)
            inside = inside.replace("&", " ") if "align" in opening else inside
            return (" ".join(inside.split()) or None, False) if end else (None, True)
    line = _LINE.match(part)
    assert line is not None
    answer = line.group()
    if holds_box(answer):
        return None, True
    return _first_clause(answer), False


def _first_clause(line: str) -> str | None:
    r"""A line up to the end of its sentence and of what it states, outside of `$…$` and `\(…\)`."""
    adverb = _ADVERB.match(line)
    while adverb is not None:
        line = line[adverb.end() :]
        adverb = _ADVERB.match(line)
    ends = [match.start() for match in _SENTENCE_END.finditer(line)]
    ends += [match.start() for match in _CLAUSE.finditer(line) if match.start() > 0]
    ends += [
        match.start()
        for match in _BARE_CLAUSE.finditer(line)
        if _MATHEMATICS.search(line, 0, match.start()) is not None
    ]
    end = min((end for end in ends if not _is_inside_math(line, end)), default=len(line))
    answer = line[:end].strip(_AROUND)
    remark = _REMARK.search(answer)
    if remark is not None and remark.start() > 0 and _UNIT.search(answer) is None:
        answer = answer[: remark.start()].rstrip(_AROUND)
    return answer or None


def _is_inside_math(line: str, index: int) -> bool:
    before = line[:index].replace("\\$", "")
    is_dollar = before.count("$") % 2 == 1 and "$" in line[index:]
    return is_dollar or before.count("\\(") > before.count("\\)")


def _is_remark(answer: str, mark: str) -> bool:
    """Whether the words after a mark are not an answer, such as a heading or a judgement."""
    if answer[0].isdigit() or _MATHEMATICS.search(answer) is not None:
        return False
    if mark == "####":
        return True
    word = _WORD.search(answer)
    return word is not None and word.group().casefold() in _REMARK_WORDS
