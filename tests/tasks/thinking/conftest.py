"""A model whose tokens are words of a script, which is continued from the ids that it is given."""

import asyncio
import math
from collections.abc import Callable, Mapping

import pytest

from schemas.engines import (
    Completion,
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import RequestRejected

END = "<end>"
"""The end of text, a token without text."""


class ScriptEngine:
    """Writes the pieces that a table gives for the text so far; every piece is a token.

    It reads `prefix_ids` where they are given, and refuses ids that do not say what the text says.
    """

    name = "script"
    model_id = "script-0"

    def __init__(
        self, script: Mapping[str, str], *, has_ids: bool = True, context: int = 10**6
    ) -> None:
        self.vocabulary: str | None = "script" if has_ids else None
        self.requests: list[GenerationRequest] = []
        self.num_written = 0
        self._script = script
        self._context = context
        self._ids: dict[str, int] = {}

    def encode_text(self, text: str) -> tuple[int, ...] | None:
        """A character is a token of text that is put in."""
        return tuple(map(self._id_of, text)) if self.vocabulary else None

    def decode(self, ids: tuple[int, ...]) -> str:
        texts = {number: text for text, number in self._ids.items()}
        return "".join(texts[number] for number in ids).replace(END, "")

    async def generate(self, request: GenerationRequest) -> Generation:
        self.requests.append(request)
        await asyncio.sleep(0)
        if request.prefix_ids is not None and self.decode(request.prefix_ids) != request.prefix:
            raise AssertionError((self.decode(request.prefix_ids), request.prefix))
        size = len(request.prefix_ids or request.prefix.split())
        if size >= self._context:
            raise RequestRejected(f"expected at most {self._context} tokens, got {size}")
        return Generation(
            completions=tuple(self._write(request, size) for _ in range(request.n)),
            prompt_tokens=1 + size,
            cached_tokens=1,
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is held."""

    def _write(self, request: GenerationRequest, size: int) -> Completion:
        pieces: list[str] = []
        stop = None
        while stop is None and len(pieces) < min(request.max_tokens, self._context - size):
            so_far = request.prefix + "".join(pieces)
            ending = max((key for key in self._script if so_far.endswith(key)), key=len)
            pieces.append(self._script[ending])
            if pieces[-1] == END:
                break
            written = so_far[len(request.prefix) :] + pieces[-1]
            stop = next(
                (s for s in request.stop if s in written[-len(pieces[-1]) - len(s) :]), None
            )
        is_over = bool(pieces) and pieces[-1] == END
        self.num_written += len(pieces)
        texts = tuple("" if piece == END else piece for piece in pieces)
        return Completion(
            text="".join(texts),
            token_ids=tuple(map(self._id_of, pieces)),
            logprobs=(math.log(0.5),) * len(pieces),
            finish_reason="stop" if is_over or stop else "length",
            stop_string=stop,
            token_texts=texts,
        )

    def _id_of(self, piece: str) -> int:
        return self._ids.setdefault(piece, len(self._ids))


@pytest.fixture
def script_engine() -> Callable[..., ScriptEngine]:
    return ScriptEngine
