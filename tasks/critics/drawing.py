"""Draw whole answers to a dialogue, and account for what each cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from schemas.engines import Completion, Generation, GenerationRequest
from schemas.errors import RequestRejected
from schemas.sampling_parameters import SamplingParameters
from tasks.engines.base import Engine
from tasks.prompts.formats import PromptFormat
from tasks.prompts.messages import Message
from tasks.steps.stop_strings import end_at_stop


class CostColumns(TypedDict):
    """The columns of a row that say what it cost."""

    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int


@dataclass(frozen=True, slots=True)
class DrawnAnswers:
    """The answers to one request, or why there are none."""

    generation: Generation
    completions: tuple[Completion, ...]
    """As they end by the stop strings; those that cannot be used have an `error`."""
    refusal: str | None
    """Why the engine refused the request, and there are none."""

    @property
    def num_rows(self) -> int:
        """Rows that these answers make: one each, or one that says why there are none."""
        return len(self.completions) or 1

    def answer(self, index: int = 0) -> Completion | None:
        """An answer; None for one that cannot be used."""
        if self.refusal is not None or self.completions[index].error is not None:
            return None
        return self.completions[index]

    def error(self, index: int = 0) -> str | None:
        """Why there is no such answer; None if there is."""
        return self.refusal or self.completions[index].error

    @property
    def usable(self) -> list[Completion]:
        """The answers that can be used."""
        return [each for each in self.completions if each.error is None]

    def cost(self, index: int) -> CostColumns:
        """What an answer cost; the prompt, which all share, is charged to the first."""
        made = self.generation
        return CostColumns(
            prompt_tokens=0 if index else made.prompt_tokens,
            cached_tokens=0 if index else made.cached_tokens,
            generated_tokens=len(made.completions[index].token_ids) if made.completions else 0,
        )


async def draw_answers(
    engine: Engine,
    prompt_format: PromptFormat,
    messages: Sequence[Message],
    config: SamplingParameters,
    *,
    num: int,
    max_tokens: int,
    seed: int,
    prefix: str = "",
    prefix_ids: tuple[int, ...] | None = None,
) -> DrawnAnswers:
    """`num` answers to a dialogue; none, and the reason, where the engine refuses it.

    An answer that cannot be used is one with an error, beside the others.

    Each goes on after `prefix`, the beginning of the answer, of which `prefix_ids` are the tokens
    if they are known.

    Raises:
        EngineFailed: the engine is gone.
    """
    stop = prompt_format.ends(config.stop)
    request = GenerationRequest(
        prompt=prompt_format.build(messages),
        prefix=prefix,
        prefix_ids=prefix_ids,
        n=num,
        **config.request_fields(),
        max_tokens=max_tokens,
        stop=stop,
        needs_stop_string=False,
        seed=seed,
        has_chat_template=prompt_format.has_chat_template,
        thought_tags=prompt_format.thought_tags,
        takes_errors=True,
    )
    try:
        generation = await engine.generate(request)
    except RequestRejected as rejection:
        return DrawnAnswers(
            Generation(completions=(), prompt_tokens=0, cached_tokens=0), (), str(rejection)
        )
    completions = tuple(end_at_stop(each, stop, prefix=prefix) for each in generation.completions)
    return DrawnAnswers(generation, completions, None)
