"""Fenced blocks of a text: which one is a program that is to be run, and what went before it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.tools import OUTPUT_LABEL, ToolsConfig

FENCE = "```"
CLOSING = "```\n"
"""Where a policy is stopped: a line that ends in a fence ends a block, or begins an unnamed one."""
_OPENS = re.compile(r"[ \t]*```[ \t]*(?P<label>[A-Za-z0-9+-]*)[ \t]*")


@dataclass(frozen=True, slots=True)
class Block:
    """A block that is closed."""

    label: str
    """The word behind its opening fence."""
    code: str
    end: int
    """Where the text goes on behind its closing fence."""


def read_blocks(text: str) -> list[Block]:
    """The closed blocks of a text, in order."""
    blocks: list[Block] = []
    label: str | None = None
    lines: list[str] = []
    place = 0
    for line in text.splitlines(keepends=True):
        place += len(line)
        if label is None:
            if opened := _OPENS.fullmatch(line.rstrip("\r\n")):
                label, lines = opened["label"].lower(), []
        elif line.strip() == FENCE:
            blocks.append(Block(label, "".join(lines), place))
            label = None
        else:
            lines.append(line)
    return blocks


def programs_to_run(text: str, config: ToolsConfig) -> list[str] | None:
    """The programs of a text that ends in one that is to be run, the last of them being that one.

    Returns:
        None where the text ends otherwise, or has had as many outputs as it may.
    """
    blocks = read_blocks(text)
    if not blocks or text[blocks[-1].end :].strip() or blocks[-1].label not in config.languages:
        return None
    if sum(block.label == OUTPUT_LABEL for block in blocks) >= config.max_calls:
        return None
    programs = [block.code for block in blocks if block.label in config.languages]
    return programs if config.runs == "all" else programs[-1:]


def output_block(printed: str, *, before: str, separator: str) -> str:
    """What stands in a solution behind a program, with the line break that is missing before it.

    It ends with the separator where that is line breaks, so that a step ends there.
    """
    begin = "" if before.endswith("\n") else "\n"
    end = separator if separator.strip("\n") == "" else "\n"
    body = printed.rstrip().replace(FENCE, "'''")
    return f"{begin}{FENCE}{OUTPUT_LABEL}\n{body}\n{FENCE}{end}"


def shorten(text: str, max_chars: int, *, keep: str = "beginning") -> str:
    """A text of at most `max_chars` characters, with a mark where something was cut."""
    mark = f"... ({len(text) - max_chars} more characters)"
    if len(text) <= max_chars:
        return text
    room = max(max_chars - len(mark) - 1, 0)
    if keep == "end":
        return f"{mark}\n{text[len(text) - room :]}"
    return f"{text[:room]}\n{mark}"


def last_lines(text: str, num: int) -> str:
    """The last visible lines of a text."""
    lines: Sequence[str] = text.rstrip().splitlines()
    return "\n".join(lines[-num:])
