"""Critiques that a writer continues, from a writer that says what it is told to."""

import asyncio
from collections.abc import Sequence

from schemas.engines import (
    UNTOLD_TOKEN,
    Completion,
    Generation,
    GenerationRequest,
    MarkovConfig,
    ScoringRequest,
    StepScoring,
)
from schemas.generative import GenerativeConfig
from tasks.engines.generative_engine import GenerativeEngine

STEPS = ("3+4=7\n", "7-2=6\n")


class Dictated:
    """An engine that writes the rest of one text, and looks for no stop strings."""

    name, model_id, vocabulary = "dictated", "dictated-0", None

    def __init__(self, text: str) -> None:
        self.text = text

    async def generate(self, request: GenerationRequest) -> Generation:
        text = self.text.removeprefix(request.prefix)
        completion = Completion(
            text=text,
            token_ids=(UNTOLD_TOKEN,) * len(text),
            logprobs=None,
            finish_reason="stop",
            stop_string=None,
            token_texts=tuple(text),
        )
        return Generation(completions=(completion,), prompt_tokens=1, cached_tokens=0)

    async def score(self, request: ScoringRequest) -> StepScoring:
        raise AssertionError("it writes")

    def encode_text(self, text: str) -> Sequence[int] | None:
        return None

    async def close(self) -> None:
        """Nothing is held."""


def test_a_stop_string_that_begins_in_the_known_part_of_a_critique_ends_it() -> None:
    """What a critic writes behind it, such as another problem's critique, judges nothing."""
    config = GenerativeConfig(stop=("\nNext:",))
    writer = Dictated("3+4 right\nNext: 1+1 wrong\n")

    def score(engine: GenerativeEngine, num_steps: int, num_known: int) -> tuple[float, ...]:
        request = ScoringRequest(
            prompt="", question="3+4-2?", steps=STEPS[:num_steps], num_known=num_known
        )
        return asyncio.run(engine.score(request)).scores

    whole = GenerativeEngine(writer, config, MarkovConfig(), "id")
    assert score(whole, 2, 0) == (1.0, 0.5)
    by_step = GenerativeEngine(writer, config, MarkovConfig(), "id")
    assert score(by_step, 1, 0) == (1.0,)
    assert score(by_step, 2, 1) == (0.5,)
