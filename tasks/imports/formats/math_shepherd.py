"""Math-Shepherd (arXiv:2312.08935): Monte Carlo labels, written as marks into a solution's text.

`input` is the question and the solution, in which the tag `ки` follows each step. `label` is the
same text with `+` or `-` in place of each tag. The solution begins at `Step 1:`. The last step's
label says whether the answer is right, so it is the solution's grade as well; the set holds no gold
answers. `task` (GSM8K, MATH) becomes the problem's subject.
"""

import re
from typing import Any

from schemas.imports import ImportsJob
from tasks.imports.formats.base import LabelledQuestion, LabelledSolution, read_text
from tasks.problems.files import check_text
from tasks.problems.row_files import BadRow, shorten

TAG = "ки"
_FIRST = re.compile(r"(?:^|(?<=\s))Step 1\s*:")
_ANY = re.compile(r"^[ \t]*Step \d+\s*:", re.MULTILINE)
_MARKS = {"+": True, "-": False}


def matches(row: dict[str, Any]) -> bool:
    """Whether a row has a text with tags, and one with labels."""
    text = row.get("input")
    return isinstance(text, str) and TAG in text and isinstance(row.get("label"), str)


def read(row: dict[str, Any], job: ImportsJob) -> list[LabelledSolution]:
    """The one solution of a row.

    Raises:
        BadRow: the texts differ, a step has no tag, or there is no first step.
    """
    given = read_text(row.get("input"), "input")
    pieces, labels = _pair(given, read_text(row.get("label"), "label"))
    first = _FIRST.search(pieces[0])
    if first is None:
        raise BadRow(f"expected 'Step 1:' before the first tag, got {shorten(pieces[0])}")
    steps = [pieces[0][first.start() :], *pieces[1:]]
    for place, step in enumerate(steps):
        if len(_ANY.findall(step.strip())) > 1:
            raise BadRow(f"step {place} holds the beginning of another step, which has no label")
    task = row.get("task")
    return [
        LabelledSolution(
            question=LabelledQuestion(
                text=read_text(pieces[0][: first.start()], "the question"),
                subject=None if task is None else check_text(str(task), "task"),
            ),
            steps=tuple(read_text(step, f"step {place}") for place, step in enumerate(steps)),
            labels=labels,
            correct=labels[-1],
        )
    ]


def _pair(given: str, marked: str) -> tuple[list[str], tuple[bool, ...]]:
    """The texts before each tag, and the labels where the other text has marks instead.

    Raises:
        BadRow: the texts differ otherwise, there is no tag, or text follows the last.
    """
    *pieces, rest = given.split(TAG)
    if not pieces or rest.strip():
        what = "text without a tag" if pieces else "no tag"
        raise BadRow(f"expected {TAG!r} after every step of the input, got {what}: {shorten(rest)}")
    labels, here = [], 0
    for place, piece in enumerate(pieces):
        here += len(piece)
        if marked[here - len(piece) : here] != piece:
            raise BadRow(f"step {place} of the label: expected the text of the input, got another")
        mark = marked[here : here + 1]
        if mark not in _MARKS:
            raise BadRow(f"expected '+' or '-' after step {place} of the label, got {mark!r}")
        labels.append(_MARKS[mark])
        here += 1
    if marked[here:].strip():
        raise BadRow(f"the label goes on after the input's last tag: {shorten(marked[here:])}")
    return pieces, tuple(labels)
