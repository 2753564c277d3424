"""Budget forcing: a thought is ended at its limit, or prolonged where it would end (s1).

arXiv:2501.19393, section 3.1: after `max_thinking_tokens` the text that ends a thought is written
for the model, which then answers; where it writes the tag itself, or ends its text, the tag is
taken back and a word such as "Wait" is written in its place, `num_extensions` times.

Every continuation first gets one request for all n, with the seeds of plain sampling, then one of
its own for each part that follows text it was given. Prefixes are continued from the sampled
tokens. Works with any engine that continues a prefix.

Deviations from s1: no "Final Answer:" is added behind the tag unless `closing` has it, and a
prolonged thought counts against the same limit.
"""

import asyncio
from dataclasses import dataclass, replace

from schemas.engines import Completion, Generation, GenerationRequest
from schemas.errors import AnswerRejected, RequestRejected
from schemas.thinking import ThinkingConfig
from schemas.units import derive_seed
from tasks.engines.base import Engine
from tasks.steps.outputs import num_written
from tasks.steps.pieces import cut, given, join
from tasks.steps.token_ids import known_ids
from tasks.thinking.thoughts import Thoughts


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One continuation with all that was written for the model, and what it cost."""

    completion: Completion
    num_generated: int
    """Tokens that the model wrote, including those that were taken back; tokens of text that was
    written for it are not among them."""
    prompt_tokens: int = 0
    """Tokens read by the requests after the first, which all continuations share."""
    cached_tokens: int = 0
    reason: str | None = None
    """What was done to the thought, or why it has no end; None if nothing happened."""


async def draw(
    engine: Engine,
    request: GenerationRequest,
    config: ThinkingConfig | None,
    thoughts: Thoughts | None,
) -> tuple[Generation, list[Drawn]]:
    """The n continuations of a request, with the thoughts as a config wants them.

    Returns:
        The first generation, whose costs all continuations share, and [n] the continuations.

    Raises:
        RequestRejected: the engine refuses the first request. If it refuses a later one, because
            its context is full, the continuation ends there; if it answers that one with what
            cannot be used, the continuation has an error.
        EngineFailed: the engine is gone.
    """
    if config is None or thoughts is None or not config.is_forced:
        generation = await engine.generate(request)
        return generation, [_plain(each, request, thoughts) for each in generation.completions]
    forcing = _Forcing(engine, request, config, thoughts)
    generation = await engine.generate(forcing.first_request())
    drawn = await asyncio.gather(
        *(forcing.continue_from(each, index) for index, each in enumerate(generation.completions))
    )
    return generation, list(drawn)


def why_open(completion: Completion) -> str:
    """Why a completion that ends within its thought has no answer."""
    if completion.finish_reason == "stop":
        return "it ended within its thought"
    return f"its thought did not end within {len(completion.token_ids)} tokens"


def _plain(completion: Completion, request: GenerationRequest, thoughts: Thoughts | None) -> Drawn:
    is_open = thoughts is not None and thoughts.is_open(request.prefix + completion.text)
    is_open &= completion.error is None
    return Drawn(
        completion=completion,
        num_generated=num_written(completion),
        reason=why_open(completion) if is_open else None,
    )


class _Forcing:
    """What the continuations of one request share."""

    def __init__(
        self,
        engine: Engine,
        request: GenerationRequest,
        config: ThinkingConfig,
        thoughts: Thoughts,
    ) -> None:
        self._engine, self._request = engine, request
        self._config, self._thoughts = config, thoughts
        self._limit = min(config.max_thinking_tokens or request.max_tokens, request.max_tokens)

    def first_request(self) -> GenerationRequest:
        """All continuations, up to the limit of a thought."""
        request = self._request
        if not self._thoughts.is_open(request.prefix) and self._thoughts.end in request.prefix:
            return request
        return replace(
            request,
            max_tokens=self._limit,
            stop=self._stop(self._config.num_extensions > 0),
            needs_stop_string=True,
        )

    async def continue_from(self, first: Completion, index: int) -> Drawn:
        """A continuation from what the first request gave."""
        drawn = Drawn(completion=first, num_generated=len(first.token_ids))
        num_extensions, was_ended, error = 0, False, None
        while drawn.completion.error is None:
            so_far = drawn.completion
            used = len(so_far.token_ids)
            left = self._config.num_extensions - num_extensions
            if left and used < self._limit and self._tries_to_end(so_far):
                num_extensions += 1
                so_far = self._prolong(so_far)
            elif self._is_over(so_far) or used >= self._request.max_tokens:
                break
            elif self._is_open(so_far) and used >= self._limit:
                was_ended = True
                so_far = join(so_far, self._given(self._config.closing_text))
            drawn = replace(drawn, completion=replace(so_far, finish_reason="length"))
            if self._room(so_far) < 1:
                continue
            left = self._config.num_extensions - num_extensions
            try:
                drawn = await self._draw_more(drawn, index, may_prolong=left > 0)
            except AnswerRejected as rejection:
                drawn = replace(drawn, completion=replace(so_far, error=str(rejection)))
            except RequestRejected as rejection:
                error = f"it could not go on: {rejection}"
                break
        if drawn.completion.error is not None:
            return drawn
        reason = error or self._reason(drawn.completion, num_extensions, was_ended=was_ended)
        return replace(drawn, reason=reason)

    async def _draw_more(self, drawn: Drawn, index: int, *, may_prolong: bool) -> Drawn:
        """What the model writes next, after what it has and what was written for it."""
        request, so_far = self._request, drawn.completion
        used = len(so_far.token_ids)
        generation = await self._engine.generate(
            replace(
                request,
                prefix=request.prefix + so_far.text,
                prefix_ids=self._prefix_ids(so_far),
                following="",
                n=1,
                max_tokens=self._room(so_far),
                stop=self._stop(may_prolong and self._is_open(so_far)),
                needs_stop_string=True,
                seed=None if request.seed is None else derive_seed(request.seed, index, used),
            )
        )
        (more,) = generation.completions
        if not more.token_ids and more.error is None:
            raise RequestRejected("the engine wrote nothing")
        return replace(
            drawn,
            completion=join(so_far, more),
            num_generated=drawn.num_generated + len(more.token_ids),
            prompt_tokens=drawn.prompt_tokens + generation.prompt_tokens,
            cached_tokens=drawn.cached_tokens + generation.cached_tokens,
        )

    def _prolong(self, so_far: Completion) -> Completion:
        """The thought without the tag that ends it, and the word to go on with."""
        end = so_far.text.rfind(self._thoughts.end)
        if so_far.stop_string != self._thoughts.end:
            end = len(so_far.text)
        kept = cut(so_far, end)
        return join(kept, self._given(so_far.text[len(kept.text) : end] + self._config.extension))

    def _tries_to_end(self, so_far: Completion) -> bool:
        """Whether the model has ended its thought, and nothing was drawn behind it."""
        if so_far.stop_string == self._thoughts.end:
            return True
        is_over = so_far.finish_reason == "stop" and so_far.stop_string is None
        return is_over and self._is_open(so_far)

    def _is_over(self, so_far: Completion) -> bool:
        """Whether the model has ended its text, or was stopped by a string of the request."""
        return so_far.finish_reason == "stop" and so_far.stop_string != self._thoughts.end

    def _room(self, so_far: Completion) -> int:
        """Tokens that may be drawn next."""
        most = self._limit if self._is_open(so_far) else self._request.max_tokens
        return most - len(so_far.token_ids)

    def _is_open(self, so_far: Completion) -> bool:
        return self._thoughts.is_open(self._request.prefix + so_far.text)

    def _given(self, text: str) -> Completion:
        return given(text, self._engine.encode_text)

    def _stop(self, may_prolong: bool) -> tuple[str, ...]:
        """A tag stops the engine only where it may be taken back."""
        ends = (self._thoughts.end,) if may_prolong else ()
        return tuple(dict.fromkeys((*self._request.stop, *ends)))

    def _reason(
        self, completion: Completion, num_extensions: int, *, was_ended: bool
    ) -> str | None:
        parts = []
        if num_extensions:
            parts.append(f"its thought was prolonged {num_extensions} times")
        if was_ended:
            parts.append(f"its thought was ended after {self._limit} tokens")
        elif self._is_open(completion):
            parts.append(why_open(completion))
        return "; ".join(parts) or None

    def _prefix_ids(self, so_far: Completion) -> tuple[int, ...] | None:
        """The tokens of the request's prefix and of what follows it; None if some are unknown."""
        request, ids = self._request, known_ids(so_far, self._engine.vocabulary)
        if ids is None or (request.prefix and request.prefix_ids is None):
            return None
        return (*(request.prefix_ids or ()), *ids)
