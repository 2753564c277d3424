"""How an answer is graded: a config per kind of answer, in a union on `type`."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.base import FrozenConfig, Since


def _check_marks(marks: tuple[str, ...] | str) -> tuple[str, ...] | str:
    if isinstance(marks, str):
        try:
            re.compile(marks)
        except re.error as error:
            raise ValueError(
                f"expected a regular expression, or a list of texts, got {marks!r}: {error}"
            ) from error
    if "" in (marks, *marks):
        raise ValueError("expected texts that stand before an answer, got an empty one")
    return marks


Marks = Annotated[tuple[str, ...] | str, AfterValidator(_check_marks)]
"""Texts that mark the answer after them, or one regular expression. The first group of the
expression is the answer; without a group, the answer follows the match."""


class MathGraderConfig(FrozenConfig):
    """Answers that are mathematics: exact for plain numbers, Math-Verify for the rest."""

    type: Literal["math"] = "math"
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Processor seconds for one comparison; if one takes longer, it is ungraded, not wrong."""
    max_answer_chars: Annotated[int, Field(ge=16, le=4000)] = 1000
    """A longer answer is not parsed: right if it equals the gold answer's text, else ungraded."""
    percent: Literal["hundredth", "ignored"] = "hundredth"
    """`hundredth`: 10% is 1/10 and never 10. `ignored`: the sign is dropped, 10% is 10 and not
    1/10; for data sets whose gold answers leave the sign out."""
    last_number: bool = False
    """Take the last number of a text that marks no answer. This credits numbers that were not meant
    as the answer, so accuracies with and without it are not comparable."""
    marks: Annotated[Marks, Since(4)] = ()
    r"""What marks the answer after it, such as `["A:"]`: a list of texts, or one regular expression
    (`'RESULT=(\d+)'`). The last one in a text counts, before boxes and `Answer:`, which still
    count in a text that has none."""
    num_processes: Annotated[int, Field(ge=1)] = 2
    """Maximum number of Math-Verify processes; each starts when a comparison first needs it."""
    memory_mb: Annotated[int, Field(ge=256)] = 1024
    """Address space of one process; a comparison that needs more is ungraded."""
    cache_size: Annotated[int, Field(ge=0)] = 65536
    """Compared pairs whose verdicts are cached."""


class ExactGraderConfig(FrozenConfig):
    """Answers that are strings: right when equal after normalisation."""

    type: Literal["exact"] = "exact"
    ignore_case: bool = False
    """`East` is `east`."""
    marks: Annotated[Marks, Since(4)] = ()
    r"""What marks the answer after it, such as `["A:"]`: a list of texts, or one regular expression
    (`'RESULT=(\d+)'`). The last one in a text counts, before boxes and `Answer:`, which still
    count in a text that has none."""


class PlantedGraderConfig(FrozenConfig):
    """Texts that contain the gold symbols in order, others between them (arXiv:2502.12118)."""

    type: Literal["planted"] = "planted"


class ProgramGraderConfig(FrozenConfig):
    """Programs that are right when they pass their problem's unit tests, run in a sandbox."""

    type: Literal["program"] = "program"
    timeout_s: Annotated[int, Field(ge=1, le=600)] = 6
    """Processor seconds of a program; five times as many seconds may pass."""
    memory_mb: Annotated[int, Field(ge=64)] = 512
    """Address space of each process of a program."""
    num_processes: Annotated[int, Field(ge=2)] = 16
    """Processes and threads that a program may have at one time."""
    num_sandboxes: Annotated[int, Field(ge=1)] = 2
    """Programs that are run at one time."""


GraderConfig = Annotated[
    MathGraderConfig | ExactGraderConfig | PlantedGraderConfig | ProgramGraderConfig,
    Field(discriminator="type"),
]
