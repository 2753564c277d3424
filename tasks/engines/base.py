"""The protocol of every engine, which is all that algorithms know about engines."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from schemas.engines import (
    Generation,
    GenerationRequest,
    RetrievalRequest,
    RetrievedDocument,
    ScoringRequest,
    StepScoring,
)


@runtime_checkable
class Engine(Protocol):
    """Generates continuations, scores steps, or both; thousands of calls may be in flight."""

    name: str
    """The value of the `engine` column, e.g. `vllm 0.32.0 cpu`."""
    model_id: str
    """The value of the `policy` and `verifier` columns."""
    vocabulary: str | None
    """The vocabulary of its token ids (see tasks.models.vocabulary); None if it reports none."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Continue one prompt or prefix n times.

        Raises:
            RequestRejected: this request cannot be served; others are unaffected.
            EngineFailed: the engine is gone.
        """
        ...

    async def score(self, request: ScoringRequest) -> StepScoring:
        """Score each step of one solution, a value in [0, 1] per step, in order.

        Raises:
            RequestRejected: this request cannot be served; others are unaffected.
            EngineFailed: the engine is gone.
        """
        ...

    def encode_text(self, text: str) -> Sequence[int] | None:
        """The tokens of a text alone, without special tokens; None if that is not known."""
        ...

    async def close(self) -> None:
        """Release the engine's resources."""
        ...


@runtime_checkable
class Retriever(Engine, Protocol):
    """An engine that finds documents."""

    async def retrieve(self, request: RetrievalRequest) -> Sequence[RetrievedDocument]:
        """The best documents for a query, the best first; equal ones in the order of the index.

        Raises:
            EngineFailed: the engine is gone.
        """
        ...


@runtime_checkable
class PlainEncoder(Protocol):
    """An engine whose model has special tokens that texts of others must not turn into."""

    def encode_plain(self, text: str) -> Sequence[int] | None:
        """The tokens of a text in which the name of a special token is text like any other."""
        ...
