"""Which tokens of a solution a program printed: counted, told from steps, and left out of losses.

An output is a step of its own, of kind `output` in the `segments` of its row.
"""

import re
from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import TypedDict

from schemas.engines import Completion
from schemas.rows import Step
from schemas.tools import OUTPUT_LABEL

OUTPUT = "output"
STEP = "step"


_BLOCK = re.compile(rf"^```{OUTPUT_LABEL}\n.*?^```[ \t]*(?:\n+|\Z)", re.DOTALL | re.MULTILINE)


class OutputColumns(TypedDict):
    """The columns of a trajectory that say what programs printed."""

    segments: tuple[str, ...] | None
    tool_tokens: int | None


def num_written(completion: Completion) -> int:
    """Tokens that the model wrote, including those that were taken back."""
    if completion.num_written is not None:
        return completion.num_written
    return len(completion.token_ids) - sum(completion.outputs or ())


def written_text(completion: Completion) -> str:
    """The text of the same length in which null characters stand for outputs."""
    outputs, pieces = completion.outputs, completion.token_texts
    if outputs is None or pieces is None:
        return completion.text
    return "".join(
        "\0" * len(piece) if is_output else piece
        for piece, is_output in zip(pieces, outputs, strict=True)
    )


def kinds_of(completion: Completion, steps: Sequence[Step]) -> tuple[str, ...] | None:
    """[num_steps] what each measured step of a completion is; None where no program was run."""
    if completion.outputs is None:
        return None
    begins = accumulate((step.num_tokens for step in steps[:-1]), initial=0)
    return tuple(
        OUTPUT if completion.outputs[begin] else STEP
        for begin, _ in zip(begins, steps, strict=False)
    )


def output_columns(completion: Completion | None, steps: Sequence[Step]) -> OutputColumns:
    """The columns of a row that is one completion, or none."""
    kinds = None if completion is None else kinds_of(completion, steps)
    return columns_of_kinds(kinds, steps)


def columns_of_kinds(kinds: Sequence[str] | None, steps: Sequence[Step]) -> OutputColumns:
    """The columns of a row with steps of these kinds; null where none is an output."""
    if kinds is None or OUTPUT not in kinds:
        return OutputColumns(segments=None, tool_tokens=None)
    pairs = zip(kinds, steps, strict=True)
    return OutputColumns(
        segments=tuple(kinds),
        tool_tokens=sum(step.num_tokens for kind, step in pairs if kind == OUTPUT),
    )


def output_spans(text: str) -> list[tuple[int, int]]:
    """Where the output blocks of a solution begin and end, in characters."""
    return [block.span() for block in _BLOCK.finditer(text)]


def runs_of(completion: Completion) -> list[tuple[bool, Completion]]:
    """The parts of a completion: whether a program printed it, and the part, in order."""
    parts, begin = [], 0
    for is_output, marks in groupby(completion.outputs or ()):
        end = begin + len(list(marks))
        pieces = (completion.token_texts or ())[begin:end]
        logprobs = completion.logprobs
        part = Completion(
            text="".join(pieces),
            token_ids=completion.token_ids[begin:end],
            logprobs=None if logprobs is None else logprobs[begin:end],
            finish_reason=completion.finish_reason,
            stop_string=None,
            token_texts=pieces,
        )
        parts.append((is_output, part))
        begin = end
    return parts
