"""Requests to one server with an OpenAI-compatible API: its rate limits, and retries after faults.

After a rate limit, a 5xx status, a timeout, a lost connection or an incomplete answer the request
is sent again, after a wait that grows exponentially with jitter, or that the server asks for. This
is the only place that retries: the client's own retries are off. A request that is sent again may
be processed, and paid for, twice; it is answered once.

The time limit on retries is for the server, not for the request: while the server answers others, a
rate-limited request retries without limit, and a request that alone keeps failing is itself at
fault. When the time is up, the server gets a trial request known to be good. If it answers, the one
that failed gets the same time again; if not, all other requests fail at once.

The key is read from the environment and appears in no config, row, error or log.
"""

import asyncio
import itertools
import json
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

from schemas.engines import ServerConfig
from schemas.errors import EngineUnreachable, RequestRejected

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0
_CONNECT_TIMEOUT_S = 10.0
_LONGEST_MESSAGE = 500
_ADVICE = {
    401: "expected a key in the environment variable {env}, which {state}",
    403: "expected a key in the environment variable {env}, which {state}",
    404: "expected server.base_url to be the API's root, which usually ends in /v1, and a model "
    "that is served there",
}
_PASSING_STATUSES = (408, 409, 425, 429)
_NOT_IMPLEMENTED = 501

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class AccessRefused(EngineUnreachable):
    """The server does not know the address, the model or the key: a retry would not help."""


class AnswerUnreadable(Exception):
    """The body of a status 200 is not an answer: a proxy's page, a fragment, an aborted text."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Measures time, and waits."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class _Fault:
    """A fault of one attempt, after which another may succeed."""

    text: str
    is_limit: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ask(Generic[Answer]):
    """One request to a server."""

    path: str
    """The path below the base URL."""
    body: dict[str, Any] | None
    """The body of a POST; None for a GET."""
    read: Callable[[Any], Answer]
    """Turns the parsed JSON into the answer."""


class Server:
    """Sends requests; hundreds may be in flight."""

    def __init__(self, config: ServerConfig, clock: Clock | None = None) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            config: where the server is, and its limits.
            clock: measures time, and waits.
        """
        import openai

        key = os.environ.get(config.api_key_env)
        self._config = config
        self._clock = clock or Clock()
        self._key = key
        self._client = openai.AsyncOpenAI(
            api_key=key or "none",  # the client requires one
            base_url=config.base_url,
            timeout=openai.Timeout(config.timeout_s, connect=_CONNECT_TIMEOUT_S),
            max_retries=0,
        )
        self._slots = asyncio.Semaphore(config.max_in_flight)
        self._jitter = random.Random()
        self._next_turn = 0.0
        self._last_answer = float("-inf")
        self._given_up_until = float("-inf")
        self._given_up_for = ""
        self.trial: Ask[Any] | None = None
        """A request that a running server answers; None while none is known to be good."""

    async def ask(self, asked: Ask[Answer], *, retry_s: float | None = None) -> Answer:
        """The server's answer; the request is retried until it comes or the time for retries is up.

        Args:
            asked: the request to send.
            retry_s: instead of the config's.

        Raises:
            RequestRejected: the server refuses this request, or fails on it alone.
            AccessRefused: it does not know the address, the model or the key.
            EngineUnreachable: nothing was answered within the time for retries, or another
                request found the server down less than that time ago.
        """
        retry_s = self._config.retry_timeout_s if retry_s is None else retry_s
        failing_since: float | None = None
        was_tried = False
        async with self._slots:
            for attempt in itertools.count():
                if self._clock.now() < self._given_up_until:
                    raise EngineUnreachable(self._given_up_for)
                outcome = await self._try(asked)
                now = self._clock.now()
                if not isinstance(outcome, _Fault):
                    self._note_answer()
                    return outcome
                failing_since = now if failing_since is None else failing_since
                answers_others = was_tried or self._last_answer > failing_since
                since = max(failing_since, self._last_answer) if outcome.is_limit else failing_since
                if now - since >= retry_s:
                    await self._doubt(outcome, now - since, retry_s, answers_others)
                    failing_since, was_tried = now, True
                wait_s = self._wait_after(outcome, attempt, retry_s)
                _log.info("%s: %s; next try in %.1f s", self._config.base_url, outcome.text, wait_s)
                await self._clock.sleep(wait_s)
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _try(self, asked: Ask[Answer]) -> Answer | _Fault:
        """One attempt, when its turn comes: an answer, or a fault that may pass."""
        import openai

        await self._wait_for_turn()
        try:
            if asked.body is None:
                return asked.read(await self._client.get(asked.path, cast_to=object))
            return asked.read(await self._client.post(asked.path, cast_to=object, body=asked.body))
        except openai.APIStatusError as error:
            return self._judge(error)
        except openai.APITimeoutError:
            return _Fault(f"no answer within {self._config.timeout_s:g} s")
        except openai.APIConnectionError as error:
            return _Fault(self._clean(f"no connection: {error.__cause__ or error!r}"))
        except (json.JSONDecodeError, AnswerUnreadable) as error:
            return _Fault(self._clean(f"unreadable answer: {error}"))

    def _judge(self, error: Any) -> _Fault:
        """The meaning of an error status: a fault that may pass, or an exception."""
        status: int = error.status_code
        told = error.body.get("message") if isinstance(error.body, dict) else None
        message = self._clean(f"{status}: {told or error.message}")
        where = f"server {self._config.base_url}"
        if advice := _ADVICE.get(status):
            state = "is set" if self._key else "is not set where the engine runs"
            advice = advice.format(env=self._config.api_key_env, state=state)
            raise AccessRefused(f"{where}: {message}; {advice}") from None
        if status in _PASSING_STATUSES or (status >= 500 and status != _NOT_IMPLEMENTED):
            return _Fault(message, status == 429, _retry_after_s(error.response.headers))
        raise RequestRejected(f"{where}: {message}") from None

    async def _doubt(
        self, fault: _Fault, failed_s: float, retry_s: float, answers_others: bool
    ) -> None:
        """Return if the server answers its trial, so that a request that keeps failing may retry.

        Raises:
            RequestRejected: it is the request's own fault.
            EngineUnreachable: the server is down; all other requests to it fail, too.
        """
        where = f"server {self._config.base_url}"
        if answers_others and not fault.is_limit:
            raise RequestRejected(
                f"{where} answers others, but this request failed for {failed_s:.0f} s: "
                f"{fault.text}"
            )
        if self.trial is not None:
            try:
                outcome = await self._try(self.trial)
            except RequestRejected:
                return
            if not isinstance(outcome, _Fault):
                self._note_answer()
                return
        self._given_up_for = f"{where} did not recover within {retry_s:g} s: {fault.text}"
        self._given_up_until = self._clock.now() + retry_s
        raise EngineUnreachable(self._given_up_for)

    def _note_answer(self) -> None:
        self._last_answer, self._given_up_until = self._clock.now(), float("-inf")

    def _wait_after(self, fault: _Fault, attempt: int, retry_s: float) -> float:
        """Seconds until the next attempt: at least what the server asks for, with jitter."""
        if fault.retry_after_s is not None:
            return min(fault.retry_after_s, retry_s) + self._jitter.uniform(0, _FIRST_WAIT_S)
        longest = min(_FIRST_WAIT_S * 2 ** min(attempt, 10), _LONGEST_WAIT_S)
        return self._jitter.uniform(longest / 2, longest)

    async def _wait_for_turn(self) -> None:
        """Keep to the requests per minute: turns are evenly spaced, in the order they are taken."""
        if self._config.requests_per_minute is None:
            return
        now = self._clock.now()
        turn = max(now, self._next_turn)
        self._next_turn = turn + 60 / self._config.requests_per_minute
        if turn > now:
            await self._clock.sleep(turn - now)

    def _clean(self, text: str) -> str:
        """A message without the key, which some servers repeat, and not too long for a row."""
        text = text.replace(self._key, "[key]") if self._key else text
        return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _retry_after_s(headers: Any) -> float | None:
    """The wait that a Retry-After header asks for, given in seconds or as a date."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
