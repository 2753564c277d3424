"""An engine over a world in which the probability of every step is known: no model, no waiting.

A world says which steps may follow a prefix, with what probability, and how likely the prefix
is to end in success; this class implements the rest of the engine protocol. A step is one token and
a prompt counts one token per word, so token counts are exact and small. Nothing is ever cached.
"""

import asyncio
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from schemas.engines import (
    Completion,
    FinishReason,
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import RequestRejected
from schemas.units import derive_seed
from tasks.steps.segmentation import split_steps, step_body

SEPARATOR = "\n"
"""The text that ends a step in every analytic world."""

State = TypeVar("State")


class AnalyticEngine(ABC, Generic[State]):
    """Draws steps from exact probabilities; its verifier is the true chance of success."""

    def __init__(
        self, *, name: str, model_id: str, vocabulary: Sequence[str], verifier_noise: float
    ) -> None:
        """Store the values that every request needs.

        Args:
            name: the value of the `engine` column.
            model_id: the value of the `policy` and `verifier` columns.
            vocabulary: the text of each possible step; a step's token id is its index here.
            verifier_noise: share of a score that is a fixed pseudo-random number.
        """
        self.name = name
        self.model_id = model_id
        self.vocabulary: str | None = None
        self._vocabulary = tuple(vocabulary)
        self._token_ids = {step_body(text): i for i, text in enumerate(vocabulary)}
        self._verifier_noise = verifier_noise

    @abstractmethod
    def begin(self, prompt: str) -> State:
        """The state before the first step.

        Raises:
            RequestRejected: the prompt does not contain a question of this world.
        """

    @abstractmethod
    def advance(self, state: State, token_id: int) -> State:
        """The state after one more possible step."""

    @abstractmethod
    def next_steps(self, state: State) -> Mapping[int, float]:
        """Probability of each step that may come next; empty when the solution is complete."""

    @abstractmethod
    def value(self, state: State) -> float:
        """The exact probability that the policy's continuation at temperature 1 succeeds."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Continue a prefix n times; continuation i of seed s is that of seed s + i alone.

        Temperature, top-p, top-k and min-p act on the exact next-step distribution as they do in a
        language model. Temperature 0 takes the likeliest step, the first of the vocabulary among
        equals.
        Log probabilities are those of the distribution before all of them; the k likeliest steps of
        a confidence are fewer where fewer may follow; steps of probability 0 are no alternatives.

        Raises:
            RequestRejected: prompt or prefix does not belong to this world, or the request has a
                repetition penalty: repeated steps have no logits here.
        """
        if request.repetition_penalty != 1:
            raise RequestRejected(
                f"{self.name}: expected repetition_penalty 1, got {request.repetition_penalty:g}: "
                "only language models have one"
            )
        steps = split_steps(request.prefix, SEPARATOR)
        state = self._replay(request.prompt, steps)
        await asyncio.sleep(0)  # let other requests run meanwhile, as a real engine does
        return Generation(
            completions=tuple(self._write(state, request, i) for i in range(request.n)),
            prompt_tokens=len(request.prompt.split()) + len(steps),
            cached_tokens=0,
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        """The success probability after each step, mixed with the configured noise.

        The noise of a step is a fixed number in [0, 1) that depends on prompt and steps so far.

        Raises:
            RequestRejected: prompt or steps do not belong to this world.
        """
        state = self.begin(request.prompt)
        scores = []
        for index, step in enumerate(request.steps):
            state = self._follow(state, index, step)
            if index < request.num_known:
                continue
            noise = derive_seed(request.prompt, *request.steps[: index + 1]) / 2**31
            scores.append(
                (1 - self._verifier_noise) * self.value(state) + self._verifier_noise * noise
            )
        await asyncio.sleep(0)
        read = len(request.prompt.split()) + len(request.steps)
        return StepScoring(scores=tuple(scores), scored_tokens=read, cached_tokens=0)

    def encode_text(self, text: str) -> None:
        """Nothing: its ids are never continued, since it reads texts."""

    async def close(self) -> None:
        """Do nothing: no resources are held."""

    def _replay(self, prompt: str, steps: Sequence[str]) -> State:
        state = self.begin(prompt)
        for index, step in enumerate(steps):
            state = self._follow(state, index, step)
        return state

    def _follow(self, state: State, index: int, step: str) -> State:
        token_id = self._token_ids.get(step_body(step))
        if token_id is None or token_id not in self.next_steps(state):
            raise RequestRejected(f"{self.name}: step {index} cannot be {step!r} in this world")
        return self.advance(state, token_id)

    def _write(self, state: State, request: GenerationRequest, index: int) -> Completion:
        """Continuation `index` of a request."""
        rng = random.Random(
            None if request.seed is None else derive_seed("analytic", request.seed + index)
        )
        token_ids: list[int] = []
        logprobs: list[float] = []
        confidences: list[float] = []
        text = ""
        finish_reason: FinishReason = "length"
        stop_string = None
        while True:
            p_next = self.next_steps(state)
            if not p_next:
                finish_reason, stop_string = "stop", None
                break
            if finish_reason == "stop" or len(token_ids) == request.max_tokens:
                break
            token_id = draw_step(p_next, request, rng)
            token_ids.append(token_id)
            logprobs.append(math.log(p_next[token_id]))
            confidences.append(_confidence(p_next, request.num_alternatives))
            begin = len(text)
            text += self._vocabulary[token_id]
            state = self.advance(state, token_id)
            stop_string = next(
                (s for s in request.stop if text.find(s, max(0, begin - len(s) + 1)) >= 0), None
            )
            if stop_string is not None or token_id in request.stop_ids:
                finish_reason = "stop"
        return Completion(
            text=text,
            token_ids=tuple(token_ids),
            logprobs=tuple(logprobs) if request.with_logprobs else None,
            finish_reason=finish_reason,
            stop_string=stop_string,
            token_texts=tuple(self._vocabulary[token_id] for token_id in token_ids),
            confidences=tuple(confidences) if request.num_alternatives else None,
        )


def draw_step(p_next: Mapping[int, float], request: GenerationRequest, rng: random.Random) -> int:
    """One step drawn at the request's temperature from the steps that it allows."""
    if request.temperature == 0:
        return min(p_next, key=lambda token_id: (-p_next[token_id], token_id))
    token_ids = list(p_next)
    weights = list(p_next.values())
    if request.temperature != 1:
        weights = [weight ** (1 / request.temperature) for weight in weights]
    if request.top_k is not None or request.min_p > 0:
        token_ids, weights = _likely(token_ids, weights, request.top_k, request.min_p)
    if request.top_p < 1:
        token_ids, weights = _nucleus(token_ids, weights, request.top_p)
    return rng.choices(token_ids, weights)[0]


def _likely(
    token_ids: list[int], weights: list[float], top_k: int | None, min_p: float
) -> tuple[list[int], list[float]]:
    """The `top_k` likeliest steps that are at least `min_p` times as likely as the first."""
    order = sorted(range(len(token_ids)), key=lambda i: (-weights[i], token_ids[i]))
    least = min_p * weights[order[0]]
    kept = [i for i in order[:top_k] if weights[i] >= least]
    return [token_ids[i] for i in kept], [weights[i] for i in kept]


def _confidence(p_next: Mapping[int, float], num_alternatives: int) -> float:
    """Minus the mean log probability of the likeliest steps; 0 where none were asked for."""
    likeliest = sorted(p_next.values(), reverse=True)[:num_alternatives]
    return -sum(map(math.log, likeliest)) / len(likeliest) if likeliest else 0.0


def _nucleus(
    token_ids: list[int], weights: list[float], top_p: float
) -> tuple[list[int], list[float]]:
    """The likeliest steps whose total probability is at least `top_p`."""
    order = sorted(range(len(token_ids)), key=lambda i: (-weights[i], token_ids[i]))
    wanted = top_p * sum(weights)
    kept: list[int] = []
    held = 0.0
    for i in order:
        if held >= wanted:
            break
        kept.append(i)
        held += weights[i]
    return [token_ids[i] for i in kept], [weights[i] for i in kept]
