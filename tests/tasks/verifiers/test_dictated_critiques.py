"""Critiques of a writer that says what it is told to: their thoughts, and how they go on."""

import asyncio
from collections.abc import Sequence

import pytest

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
from schemas.prompts import PlainPromptConfig
from schemas.thinking import ThinkingConfig
from tasks.engines.generative_engine import GenerativeEngine

STEPS = ("3+4=7\n", "7-2=6\n")


class Dictated:
    """An engine that writes the rest of one text, and looks for no stop strings."""

    name, model_id = "dictated", "dictated-0"
    vocabulary: str | None = None

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


def score(engine: GenerativeEngine, num_steps: int, num_known: int) -> tuple[float, ...]:
    request = ScoringRequest(
        prompt="", question="3+4-2?", steps=STEPS[:num_steps], num_known=num_known
    )
    return asyncio.run(engine.score(request)).scores


def test_a_stop_string_that_begins_in_the_known_part_of_a_critique_ends_it() -> None:
    """What a critic writes behind it, such as another problem's critique, judges nothing."""
    config = GenerativeConfig(stop=("\nNext:",))
    writer = Dictated("3+4 right\nNext: 1+1 wrong\n")

    whole = GenerativeEngine(writer, config, MarkovConfig(), "id")
    assert score(whole, 2, 0) == (1.0, 0.5)
    by_step = GenerativeEngine(writer, config, MarkovConfig(), "id")
    assert score(by_step, 1, 0) == (1.0,)
    assert score(by_step, 2, 1) == (0.5,)


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("<think>a wrong\nReview: wrong\n</think>3+4 right\n7-2 wrong\n", (1.0, 0.0)),
        ("<think>a wrong</think>3+4 right\n7-2 right\n<think>b wrong", (1.0, 1.0)),
        ("<think>a right\nb right\n", (0.5, 0.5)),
    ],
)
def test_what_a_critic_thinks_is_not_read(text: str, scores: tuple[float, ...]) -> None:
    """A thought may rehearse a whole critique, with the line that ends one."""
    prompt = PlainPromptConfig(thinking=ThinkingConfig())
    config = GenerativeConfig(prompt=prompt)
    assert score(GenerativeEngine(Dictated(text), config, MarkovConfig(), "id"), 2, 0) == scores
