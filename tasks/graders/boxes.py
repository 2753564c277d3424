r"""The last box of a text: `\boxed{…}`, `\fbox{…}`, `\boxed 2`, several side by side."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.graders.plain_numbers import read_number
from tasks.graders.spelling import tidy

_NAMES = ("\\boxed", "\\fbox", "\\framebox")
# Escapes are read whole, so that `\{` opens nothing and `\\{` opens a brace.
_TOKEN = re.compile(
    r"(?P<box>\\(?:boxed|fbox|framebox)\s*\{)"
    r"|\\(?:boxed|fbox)(?:\s+|(?=[\d\\]))(?P<bare>[-+]?\d[\d.,/]*(?<![.,/])|[A-Za-z](?![A-Za-z])"
    r"|\\(?:[dt]?frac|sqrt|pi|text)[^$\n]{0,200}?(?=\$|\\\)|\\\]|\n|\Z))"
    r"|\\.|[{}]",
    re.DOTALL,
)
_MAX_GAP = 60
_MAX_BOXES = 20
_SPACING = r"\\text\{\s*,?\s*(?:and|or)?\s*,?\s*\}|\\q?quad|\\[,;:! ()\[\]\\]|[\s$&*]"
_NAME = r"[A-Za-z](?:_\{?\w+\}?)?"
_BETWEEN = re.compile(
    rf"(?:{_SPACING}|[,;、\uff0c]|(?<![A-Za-z])(?:and|or)(?![A-Za-z])|和|或)*"
    rf"(?:(?P<name>{_NAME})(?:{_SPACING})*=(?:{_SPACING})*)?"
)
_JOINING = re.compile(r"[,;、\uff0c]|(?<![A-Za-z])(?:and|or)(?![A-Za-z])|和|或|\\\\|&")
_NAME_BEFORE = re.compile(rf"(?<![A-Za-z\\])({_NAME})\s*&?\s*=\s*&?\s*\$?\s*$")


@dataclass(frozen=True, slots=True)
class _Box:
    start: int
    end: int
    content_start: int
    content_end: int


def holds_box(text: str) -> bool:
    """Whether a box is opened anywhere in the text."""
    return "box" in text and any(name in text for name in _NAMES)


def last_boxed(text: str) -> str | None:
    r"""Content of the last closed, non-empty box and of those side by side with it.

    If boxes are nested, the inner one counts. Several are joined by commas, with their names if
    each has one: `x=\boxed{3}, y=\boxed{4}` is `x=3, y=4`.
    """
    if "box" not in text:
        return None
    simple = _only_box(text)
    if simple is not None or not holds_box(text):
        return simple
    boxes: list[_Box] = []
    for box in _closed_boxes(text):
        if not boxes or boxes[-1].start < box.start:  # else it encloses the last one
            boxes.append(box)
    if not boxes:
        return None
    group, names = [boxes[-1]], [""]
    for box in boxes[-2 : -_MAX_BOXES - 1 : -1]:
        name = _name_between(text, box, group[-1])
        if name is None:
            break
        names[-1] = name
        group.append(box)
        names.append("")
    if len(group) == 1:
        return _content(text, group[0])
    before = _NAME_BEFORE.search(text, max(0, group[-1].start - 20), group[-1].start)
    names[-1] = before.group(1) if before is not None else ""
    return _join(text, group[::-1], names[::-1])


def _only_box(text: str) -> str | None:
    """Content of the only box of a text, if it holds no braces and commands."""
    start = text.find("\\boxed{")
    if start < 0 or text.find("box", start + 7) >= 0 or text.find("box", 0, start) >= 0:
        return None
    end = text.find("}", start)
    content = text[start + 7 : end].strip() if end >= 0 else ""
    return content if content and "{" not in content and "\\" not in content else None


def _closed_boxes(text: str) -> Iterator[_Box]:
    """Closed, non-empty boxes in the order in which they close."""
    first = min(index for name in _NAMES if (index := text.find(name)) >= 0)
    opened: list[tuple[int, int] | None] = []
    for match in _TOKEN.finditer(text, first):
        token = match.group()
        if token == "}":
            box = opened.pop() if opened else None
            if box is not None and text[box[1] : match.start()].strip():
                yield _Box(box[0], match.end(), box[1], match.start())
        elif token == "{":
            opened.append(None)
        elif match["box"] is not None:
            opened.append((match.start(), match.end()))
        elif match["bare"] is not None:
            yield _Box(match.start(), match.end(), match.start("bare"), match.end("bare"))


def _name_between(text: str, box: _Box, after: _Box) -> str | None:
    """The name of the later box if both are one answer, empty if it has none; else None."""
    if after.start - box.end > _MAX_GAP:
        return None
    between = text[box.end : after.start]
    match = _BETWEEN.fullmatch(between)
    if match is None:
        return None
    is_joined = _JOINING.search(between) is not None or "\n" not in between
    return (match["name"] or "") if is_joined else None


def _content(text: str, box: _Box) -> str:
    return text[box.content_start : box.content_end].strip()


def _join(text: str, group: list[_Box], names: list[str]) -> str:
    contents = [_content(text, box) for box in group]
    if len(set(contents)) == 1 or _are_one_number(contents):
        return contents[-1]
    if all(names) and len(set(names)) == len(names):
        return ", ".join(f"{name}={content}" for name, content in zip(names, contents, strict=True))
    return ", ".join(contents)


def _are_one_number(contents: list[str]) -> bool:
    r"""Whether boxes contain one number in several forms: `\boxed{1\frac12}, or \boxed{1.5}`."""
    numbers = [read_number(tidy(content)) for content in contents]
    return None not in numbers and len({number.value for number in numbers if number}) == 1
