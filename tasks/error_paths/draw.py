"""Go on from the first steps of a path: to its end at once, or step by step, hotter and hotter."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.engines import Completion, GenerationRequest
from schemas.error_paths import ErrorPathConfig, RisingConfig
from schemas.errors import RequestRejected
from schemas.rows import Problem
from schemas.units import derive_seed
from tasks.engines.base import Engine
from tasks.prompts.formats import PromptFormat
from tasks.steps.pieces import join
from tasks.steps.segmentation import is_complete
from tasks.steps.stop_strings import end_at_stop
from tasks.steps.token_ids import known_ids


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a path begins with."""

    text: str
    token_ids: tuple[int, ...] | None
    """Its tokens in the engine's vocabulary; None if only the text is known."""
    following: str
    """What the template says after it."""


@dataclass(slots=True)
class Cost:
    """The tokens of all requests of a path."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0

    def add(self, prompt_tokens: int, cached_tokens: int, generated_tokens: int) -> None:
        """Count another request."""
        self.prompt_tokens += prompt_tokens
        self.cached_tokens += cached_tokens
        self.generated_tokens += generated_tokens


@dataclass(frozen=True, slots=True)
class Rest:
    """What was drawn after the beginning of a path."""

    completion: Completion | None
    """None where the engine refuses the request."""
    error: str | None
    temperature: float
    """That of the last step."""


def join_ids(one: Sequence[int] | None, other: Sequence[int] | None) -> tuple[int, ...] | None:
    """The tokens of two texts, one after the other; None if either is not known."""
    return None if one is None or other is None else (*one, *other)


@dataclass(frozen=True, slots=True)
class Writer:
    """The policy, and how it is asked to go on."""

    engine: Engine
    prompt_format: PromptFormat
    config: ErrorPathConfig

    async def finish(self, problem: Problem, begun: Beginning, seed: int, cost: Cost) -> Rest:
        """The rest of a solution in one request."""
        config = self.config
        ends = self.prompt_format.ends(config.stop)
        try:
            completion = await self._draw(
                problem,
                begun,
                cost,
                temperature=config.temperature,
                max_tokens=config.max_tokens,
                stop=ends,
                needs_stop_string=False,
                seed=seed,
            )
        except RequestRejected as rejection:
            return Rest(None, str(rejection), config.temperature)
        ended = end_at_stop(completion, ends, prefix=begun.text)
        return Rest(ended, None, config.temperature)

    async def finish_rising(
        self, problem: Problem, begun: Beginning, seed: int, cost: Cost, config: RisingConfig
    ) -> Rest:
        """The rest of a solution, a request for each step, with the temperature of that step.

        A request continues the tokens that were sampled before it. Several are needed for a step
        where the separator stands within one.
        """
        rule, ends = self.prompt_format.step_rule, self.prompt_format.ends(config.stop)
        whole: Completion | None = None
        num_steps = step_begin = 0
        while True:
            written = Beginning(begun.text, begun.token_ids, begun.following)
            if whole is not None:
                ids = known_ids(whole, self.engine.vocabulary)
                written = Beginning(begun.text + whole.text, join_ids(begun.token_ids, ids), "")
            num_tokens = 0 if whole is None else len(whole.token_ids)
            temperature = config.temperature_of(num_steps)
            try:
                drawn = await self._draw(
                    problem,
                    written,
                    cost,
                    temperature=temperature,
                    max_tokens=config.max_tokens - num_tokens,
                    stop=(rule.separator, *ends),
                    needs_stop_string=True,
                    seed=derive_seed(seed, num_tokens),
                )
            except RequestRejected as rejection:
                return Rest(None, str(rejection), temperature)
            drawn = end_at_stop(drawn, ends, prefix=written.text)
            whole = drawn if whole is None else join(whole, drawn)
            if drawn.stop_string is None:
                return Rest(whole, None, temperature)
            if len(whole.token_ids) >= config.max_tokens or not drawn.token_ids:
                cut = replace(whole, finish_reason="length", stop_string=None)
                return Rest(cut, None, temperature)
            if is_complete(whole.text[step_begin:], rule):
                num_steps, step_begin = num_steps + 1, len(whole.text)

    async def _draw(
        self,
        problem: Problem,
        begun: Beginning,
        cost: Cost,
        *,
        temperature: float,
        max_tokens: int,
        stop: tuple[str, ...],
        needs_stop_string: bool,
        seed: int,
    ) -> Completion:
        """One continuation.

        Raises:
            RequestRejected: the engine refuses it.
            EngineFailed: the engine is gone.
        """
        fields = {**self.config.request_fields(), "temperature": temperature}
        request = GenerationRequest(
            prompt=self.prompt_format.ask(problem.question),
            prefix=begun.text,
            prefix_ids=begun.token_ids,
            following=begun.following,
            n=1,
            **fields,
            max_tokens=max_tokens,
            stop=stop,
            needs_stop_string=needs_stop_string,
            seed=seed,
            has_chat_template=self.prompt_format.has_chat_template,
            thought_tags=self.prompt_format.thought_tags,
        )
        generation = await self.engine.generate(request)
        (completion,) = generation.completions
        cost.add(generation.prompt_tokens, generation.cached_tokens, len(completion.token_ids))
        return completion
