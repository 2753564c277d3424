"""In a search of many steps nothing is tokenised again: nodes hold the ids that were sampled."""

import asyncio
from dataclasses import replace

from benchmarks.deep_search import InstantEngine, search_deep
from schemas.engines import Completion, Generation, GenerationRequest, ScoringRequest, StepScoring
from tasks.steps.token_texts import start_of
from tasks.verifiers.layout import Encoder, lay_out
from tasks.world.tokenizer import build_tokenizer

NUM_STEPS = 30


class CountingEncoder(Encoder):
    """Counts the characters that its tokenizer is given."""

    num_characters = 0

    def _encode(self, text: str, add_special_tokens: bool) -> tuple[int, ...]:
        self.num_characters += len(text)
        return super()._encode(text, add_special_tokens)

    def beginning(self, text: str, following: str) -> tuple[list[int], int]:
        self.num_characters += len(text + following)
        return super().beginning(text, following)


class TokenEngine(InstantEngine):
    """Makes of each request the tokens that a model would read, as vLLM's engine does."""

    def __init__(self, *, tells_ids: bool) -> None:
        self.encoder = CountingEncoder(build_tokenizer())
        self.vocabulary = "world" if tells_ids else None
        self.num_read = 0

    def write(self, seed: int) -> Completion:
        written = super().write(seed)
        ids = self.encoder.afresh(written.text)
        pieces = tuple(self.encoder.tokenizer.decode([each]) for each in ids)
        assert "".join(pieces) == written.text
        return replace(
            written, token_ids=tuple(ids), logprobs=(-0.5,) * len(ids), token_texts=pieces
        )

    async def generate(self, request: GenerationRequest) -> Generation:
        start = start_of(
            self.encoder,
            request.prompt,
            request.prefix,
            prefix_ids=request.prefix_ids,
            has_chat_template=False,
        )
        self.num_read += len(start.token_ids)
        return await super().generate(request)

    async def score(self, request: ScoringRequest) -> StepScoring:
        prompt = request.prompt or ""
        lay_out(self.encoder, prompt, request.steps, "\n", step_ids=request.step_ids)
        return await super().score(request)


def test_ids_on_nodes_spare_the_tokenizer_every_prefix():
    engine, texts = TokenEngine(tells_ids=True), TokenEngine(tells_ids=False)
    rows = asyncio.run(search_deep(NUM_STEPS, engine=engine))
    asyncio.run(search_deep(NUM_STEPS, engine=texts))
    assert sum(len(row.steps) for row in rows) >= NUM_STEPS * 2
    assert engine.num_read > 5_000
    assert engine.encoder.num_characters == len("1 + 1?") + len("\n")
    assert texts.encoder.num_characters > 1000 * engine.encoder.num_characters
