"""A model on a server with an OpenAI-compatible API: for policies, critics and judges.

The API has no scores of steps: a served verifier is a critic (tasks.engines.generative_engine).

Each continuation is a separate request, with seed s + i for continuation i: a server that receives
one request for n continuations derives its own seeds, and reports the cached tokens of whichever
ends last. A server with a prefix cache still reads the shared prompt once; a hosted one charges for
it n times.

How exact seeds, log probabilities and token counts are depends on the server: vLLM keeps the
protocol's promises, except that prompt and prefix are tokenized as one text. Cached tokens are 0
if the server does not report them.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from schemas.engines import (
    Completion,
    Generation,
    GenerationRequest,
    OpenAIConfig,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import EngineFailed, ModelUnusable, RequestRejected
from schemas.rows import ModelRole
from tasks.engines.openai_answers import Continuation, read_continuation, read_models
from tasks.engines.openai_requests import (
    Served,
    describe_server,
    max_answer_bytes,
    request_body,
)
from tasks.engines.openai_server import AccessRefused, Ask, Clock, Server
from tasks.engines.served_tokens import Codec
from tasks.steps.token_texts import Start

_OPENING_TIMEOUT_S = 60.0
"""The longest that opening waits for a server that does not answer: a wrong address is more likely
than a server that is down."""
_TRIAL = GenerationRequest(prompt="1 + 1 =", max_tokens=16, seed=0)
_MAX_NAMES = 10


def served_model_id(config: OpenAIConfig) -> str:
    """The name under which rows record a served model, `openai--<model>[-<revision>]`.

    It is made from the config alone: two servers with the same model give the same id, and when
    a server changes the weights under a name, the config needs a new `revision`.
    """
    name = config.model if config.revision is None else f"{config.model}-{config.revision}"
    return "openai--" + re.sub(r"[^A-Za-z0-9._-]", "-", name.replace("/", "--"))


async def open_openai_engine(
    config: OpenAIConfig, role: ModelRole, *, clock: Clock | None = None
) -> "OpenAIEngine":
    """Find the server and its model, test them with a few tokens, and return the engine.

    Args:
        config: the model and its server.
        role: what the model does, for messages.
        clock: measures and makes the waits between attempts.

    Raises:
        ModelUnusable: the server refuses the model, the key or the API.
        EngineUnreachable: the server does not answer.
    """
    server = Server(config.server, clock)
    retry_s = min(config.server.retry_timeout_s, _OPENING_TIMEOUT_S)
    names: tuple[str, ...] = ()
    try:
        models = []
        if config.server.kind != "other":  # some servers of other kinds have no list
            models = await server.ask(Ask("/models", None, read_models), retry_s=retry_s)
        served = describe_server(models, config)
        names = served.model_names
        engine = OpenAIEngine(config, server, served)
        await engine.generate(_TRIAL, retry_s=retry_s)
        server.trial = engine.ask_for(_TRIAL, 0)
    except (AccessRefused, RequestRejected) as error:
        await server.close()
        listed = f"; it serves {', '.join(names[:_MAX_NAMES])}" if names else ""
        raise ModelUnusable(f"{role} {config.model!r}: {error}{listed}") from None
    except BaseException:
        await server.close()
        raise
    return engine


class OpenAIEngine:
    """An `Engine` (see tasks.engines.base) on a server that was found to serve the model."""

    def __init__(self, config: OpenAIConfig, server: Server, served: Served) -> None:
        self.name = f"openai {served.kind}"
        self.model_id = served_model_id(config)
        self.vocabulary: str | None = None
        self._codec: Codec | None = None
        if config.tokenizer is not None and config.api == "completions" and served.takes_ids:
            self._codec = Codec.load(config.tokenizer)
            self.vocabulary = self._codec.vocabulary
        self._config = config
        self._server = server
        self._served = served
        self._tasks: set[asyncio.Task[Continuation | RequestRejected]] = set()
        self._is_closed = False

    async def generate(
        self, request: GenerationRequest, *, retry_s: float | None = None
    ) -> Generation:
        """Continue one prompt or prefix n times.

        Args:
            request: the prompt or prefix, and how to continue it.
            retry_s: how long to retry after faults, instead of the config's time.

        Raises:
            RequestRejected: the server refuses the request, or one of its texts is unusable (all
                of them, if the request takes errors).
            EngineUnreachable: the server is down, or refuses everything.
            EngineFailed: the engine was closed.
        """
        if self._is_closed:
            raise EngineFailed("the engine was closed")
        tasks = [
            asyncio.create_task(self._continue(request, index, retry_s))
            for index in range(request.n)
        ]
        self._tasks.update(tasks)
        try:
            continuations = await asyncio.gather(*tasks)
        except BaseException as error:
            for task in tasks:
                task.cancel()
            if self._is_closed and isinstance(error, asyncio.CancelledError):
                raise EngineFailed("the engine was closed") from None
            raise
        finally:
            self._tasks.difference_update(tasks)
        answered = [each for each in continuations if isinstance(each, Continuation)]
        if not answered:
            raise next(each for each in continuations if isinstance(each, RequestRejected))
        return Generation(
            completions=tuple(
                each.completion if isinstance(each, Continuation) else _unanswered(each)
                for each in continuations
            ),
            prompt_tokens=answered[0].prompt_tokens,
            cached_tokens=answered[0].cached_tokens,
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        """Reject: the API has no scores per step.

        Raises:
            RequestRejected: always.
        """
        raise RequestRejected(
            f"{self.model_id}: a model behind an OpenAI-compatible API has no scores of steps; "
            "as a verifier it writes critiques"
        )

    async def close(self) -> None:
        """Close the connections; requests in flight fail with EngineFailed."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await self._server.close()

    async def _continue(
        self, request: GenerationRequest, index: int, retry_s: float | None
    ) -> Continuation | RequestRejected:
        """Continuation `index`; why there is none, for a request that takes errors."""
        try:
            return await self._server.ask(self.ask_for(request, index), retry_s=retry_s)
        except RequestRejected as rejection:
            if not request.takes_errors:
                raise
            return rejection

    def ask_for(self, request: GenerationRequest, index: int) -> Ask[Continuation]:
        """The query for continuation `index` of a request.

        Raises:
            RequestRejected: this server cannot continue a prefix over its chat API.
        """
        start = None if self._codec is None else self._codec.start_of(request)
        body = request_body(request, index, self._config, self._served, start=start)
        return Ask(
            "/chat/completions" if self._config.api == "chat" else "/completions",
            body,
            lambda answer: self._read(answer, request, start),
            max_answer_bytes(request, body),
        )

    @property
    def can_continue(self) -> bool:
        """Whether it can continue the beginning of an answer."""
        return self._config.api == "completions" or self._served.takes_ids

    def encode_text(self, text: str) -> Sequence[int] | None:
        """The tokens of a text alone, if the config names the model's tokenizer."""
        return None if self._codec is None else self._codec.encode.afresh(text)

    def _read(self, answer: Any, request: GenerationRequest, start: Start | None) -> Continuation:
        continuation = read_continuation(answer, request, self._config)
        if self._codec is None or start is None:
            return continuation
        completion = self._codec.complete(continuation.completion, start)
        return replace(continuation, completion=completion)


def _unanswered(rejection: RequestRejected) -> Completion:
    return Completion(
        text="",
        token_ids=(),
        logprobs=(),
        finish_reason="stop",
        stop_string=None,
        error=str(rejection),
    )
