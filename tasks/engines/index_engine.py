"""A retriever: an index of documents behind the engine protocol."""

import asyncio
from collections.abc import Sequence

from schemas.engines import (
    Generation,
    GenerationRequest,
    IndexConfig,
    RetrievalRequest,
    RetrievedDocument,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import ModelUnusable, RequestRejected
from tasks.retrieval.index import Index, load_index


async def open_index_engine(config: IndexConfig) -> "IndexEngine":
    """Load an index.

    Raises:
        ModelUnusable: there is none, it is damaged, or it is of other documents.
    """
    try:
        return IndexEngine(await asyncio.to_thread(load_index, config.path, config.documents))
    except ValueError as error:
        raise ModelUnusable(f"retriever: {error}") from error


class IndexEngine:
    """Finds documents; it neither writes nor scores."""

    vocabulary: str | None = None

    def __init__(self, index: Index) -> None:
        """An engine named after its index."""
        self._index = index
        self._lock = asyncio.Lock()
        self.name = "index"
        self.model_id = index.name

    async def retrieve(self, request: RetrievalRequest) -> Sequence[RetrievedDocument]:
        """See Retriever."""
        async with self._lock:
            return await asyncio.to_thread(
                self._index.search, request.query, request.num, request.without
            )

    async def generate(self, request: GenerationRequest) -> Generation:
        """Refuse: an index writes nothing."""
        raise RequestRejected(f"{self.model_id} finds documents, it does not write")

    async def score(self, request: ScoringRequest) -> StepScoring:
        """Refuse: an index reads no steps."""
        raise RequestRejected(f"{self.model_id} finds documents, it does not score")

    def encode_text(self, text: str) -> Sequence[int] | None:
        """See Engine: it has no tokens."""
        return None

    async def close(self) -> None:
        """See Engine: there is nothing to release."""
