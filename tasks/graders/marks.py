r"""What follows a mark such as `Answer:` or `####`, up to the end of what it says.

An answer is the rest of the mark's line (or the first line after it that holds anything, or the
display mathematics on the lines after it), up to the end of the sentence or to a clause that
explains it (`9, because …`). A heading (`#### Explanation`) or a remark (`the answer is correct`)
is no answer if a mark before it has one.
"""

import re
from collections.abc import Sequence

from tasks.graders.boxes import holds_box, last_boxed

_MAX_TRIED = 4
"""Marks that are read from the end; before them nothing is looked for."""
_MAX_CHARS = 5000
_MARK = re.compile(
    r"####(?!#)"
    r"|\banswer(?:\*\*)?(?:\s{0,3}[:=\uff1a\uff1d](?:\*\*)?"
    r"|\s{1,3}(?:to (?:the|this) (?:question|problem) )?"
    r"(?:is|equals|would be|should be|must be)\b(?:\s{0,3}[:\uff1a])?)"
    r"|\bans\.?\s{0,3}[:=]"
    r"|\b(?:correct|right)\s(?:option|choice)\s{1,3}is\b(?:\s{0,3}:)?"
    r"|\banswers\s{1,3}are\b(?:\s{0,3}:)?"
    r"|(?:^|\n)[ \t]{0,3}(?:#{1,6}[ \t]{0,3})?\**(?:the )?(?:final )?answer\**:?\**[ \t]*(?=\n|$)"
    r"|<answer>"
    r"|故选\s{0,3}[:\uff1a]?"
    r"|(?:答案|答)(?:\*\*)?\s{0,3}(?:[:\uff1a=\uff1d是为]|应为|等于|选)(?:\*\*)?\s{0,3}[:\uff1a]?",
    re.IGNORECASE,
)
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
_WORD = re.compile(r"[^\W\d_]+")
_AROUND = " \t\r\n*`\"'\u201c\u201d"


def last_marked(text: str) -> str | None:
    """What follows the last mark that an answer follows, without markup."""
    found: str | None = None
    for match in _last_matches(_MARK, text):
        answer, is_cut = _read_after(text, match)
        if is_cut:
            return found
        if answer is None:
            continue
        if not _is_remark(answer, match.group()):
            return answer
        if found is None:
            found = answer
    return found


def last_own_mark(text: str, marks: Sequence[str] | str) -> str | None:
    """What follows the last of the caller's marks.

    Args:
        text: outside of thoughts.
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
    return _read_after(text, match)[0]


def _literal(mark: str) -> str:
    """A mark that begins with a letter does not begin inside a word: `A:` is not in `DNA:`."""
    return (r"(?<!\w)" if mark[:1].isalnum() else "") + re.escape(mark)


def _last_matches(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """The last matches, the last one first."""
    matches: list[re.Match[str]] = []
    for match in pattern.finditer(text):
        matches.append(match)
        if len(matches) > 2 * _MAX_TRIED:
            del matches[:_MAX_TRIED]
    return matches[: -_MAX_TRIED - 1 : -1]


def _read_after(text: str, mark: re.Match[str]) -> tuple[str | None, bool]:
    """What follows a mark, and whether it was cut off before its end."""
    start = mark.end()
    blank = _BLANK.match(text, start)
    assert blank is not None
    start = blank.end()
    part = text[start : start + _MAX_CHARS]
    if mark.group() == "<answer>":
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
    """Whether words follow a mark that say nothing, such as a heading or a judgement."""
    if _MATHEMATICS.search(answer) is not None:
        return False
    if mark.startswith("####"):
        return True
    word = _WORD.search(answer)
    return word is not None and word.group().casefold() in _REMARK_WORDS
