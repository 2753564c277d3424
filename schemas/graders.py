"""How an answer is judged: one config per kind of answer, a union on `type`."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FrozenConfig


class MathGraderConfig(FrozenConfig):
    """Answers that are mathematics: exact for plain numbers, Math-Verify for the rest."""

    type: Literal["math"] = "math"
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Processor seconds for one comparison; one that takes longer is ungraded, not wrong."""
    max_answer_chars: Annotated[int, Field(ge=16, le=4000)] = 1000
    """A longer answer is not parsed: right if it is the gold answer's text, else ungraded."""
    percent: Literal["hundredth", "ignored"] = "hundredth"
    """`hundredth`: 10% is 1/10 and never 10. `ignored`: the sign is dropped, 10% is 10 and not
    1/10; for data sets whose gold answers leave the sign out."""
    last_number: bool = False
    """Take the last number of a text that marks no answer. Credits numbers that were never
    meant as the answer, so accuracies with and without it do not compare."""
    num_processes: Annotated[int, Field(ge=1)] = 2
    """Math-Verify processes at most; each starts only when a comparison needs it."""
    memory_mb: Annotated[int, Field(ge=256)] = 1024
    """Address space of one process; a comparison that needs more is ungraded."""
    cache_size: Annotated[int, Field(ge=0)] = 65536
    """Compared pairs whose verdict is remembered."""


class ExactGraderConfig(FrozenConfig):
    """Answers that are strings: right when equal after normalisation."""

    type: Literal["exact"] = "exact"
    ignore_case: bool = False
    """`East` is `east`."""


class PlantedGraderConfig(FrozenConfig):
    """Texts that hold the gold symbols in order, others between them (arXiv:2502.12118)."""

    type: Literal["planted"] = "planted"


GraderConfig = Annotated[
    MathGraderConfig | ExactGraderConfig | PlantedGraderConfig, Field(discriminator="type")
]
