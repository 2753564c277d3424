"""Requests to one server with an OpenAI-compatible API: its rate limits, and retries after faults.

After a rate limit, a 5xx status, a timeout, a lost connection or an incomplete answer the request
is sent again, after a wait that grows exponentially with jitter, or that the server asks for. This
is the only place that retries. A request that is sent again may be processed, and paid for, twice;
it is answered once.

An answer has a limit of bytes, beyond which it is not read, and of seconds to its last byte.

The time limit on retries is for the server, not for the request: while the server answers others, a
rate-limited request retries without limit, and a request that alone keeps failing is itself at
fault; sooner if what fails are its answers, which nobody can read. When the time is up, the server
gets a trial request known to be good. If it answers, the one that failed gets the same time again;
if not, all other requests fail at once.

The key is read from the environment and appears in no config, row, error or log.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import math
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

from schemas.engines import ServerConfig
from schemas.errors import AnswerRejected, EngineUnreachable, RequestRejected
from tasks.engines.http_clients import HttpClients

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0
_CONNECT_TIMEOUT_S = 10.0
_LONGEST_MESSAGE = 500
_LONGEST_ERROR_BYTES = 64 << 10
_MAX_ANSWER_BYTES = 8 << 20
_MAX_UNREADABLE = 8
"""Unreadable answers in a row to one request, after which the server is asked its trial."""
_MAX_CONNECTIONS = 1000
_SHOWN_BYTES = 200
_ACCOUNTS = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
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
    is_unreadable: bool = False
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
    max_bytes: int = _MAX_ANSWER_BYTES
    """A longer answer is refused."""


class Server:
    """Sends requests; hundreds may be in flight."""

    def __init__(self, config: ServerConfig, clock: Clock | None = None) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            config: where the server is, and its limits.
            clock: measures time, and waits.
        """
        import httpx

        key = os.environ.get(config.api_key_env)
        self._config = config
        self._clock = clock or Clock()
        self._key = key
        self._clients = HttpClients(
            config.max_in_flight,
            base_url=config.base_url,
            headers=_headers(key),
            timeout=httpx.Timeout(config.timeout_s, connect=_CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=_MAX_CONNECTIONS),
            follow_redirects=True,
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
        num_unreadable = 0
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
                num_unreadable = num_unreadable + 1 if outcome.is_unreadable else 0
                if num_unreadable == _MAX_UNREADABLE:
                    await self._doubt_request(outcome)
                    num_unreadable = 0
                wait_s = self._wait_after(outcome, attempt, retry_s)
                _log.info("%s: %s; next try in %.1f s", self._config.base_url, outcome.text, wait_s)
                await self._clock.sleep(wait_s)
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.aclose()

    async def _try(self, asked: Ask[Answer]) -> Answer | _Fault:
        """One attempt, when its turn comes: an answer, or a fault that may pass."""
        import httpx

        await self._wait_for_turn()
        try:
            async with asyncio.timeout(self._config.timeout_s):
                return asked.read(await self._fetch(asked))
        except (httpx.TimeoutException, TimeoutError):
            return _Fault(f"no answer within {self._config.timeout_s:g} s")
        except httpx.HTTPError as error:
            return _Fault(self._clean(f"no connection: {str(error) or repr(error)}"))
        except _StatusError as error:
            return self._judge(error)
        except AnswerUnreadable as error:
            return _Fault(self._clean(f"unreadable answer: {error}"), is_unreadable=True)
        except RequestRejected as error:
            raise type(error)(self._clean(str(error))) from None

    async def _fetch(self, asked: Ask[Any]) -> Any:
        """The parsed JSON of an answer.

        Raises:
            AnswerUnreadable: it is not JSON.
            RequestRejected: it is longer than any answer is.
        """
        method = "GET" if asked.body is None else "POST"
        async with self._clients.stream(method, asked.path, json=asked.body) as response:
            if response.is_error:
                beginning, _ = await _read_body(response, _LONGEST_ERROR_BYTES)
                raise _StatusError(response.status_code, response.headers, beginning)
            body, is_whole = await _read_body(response, asked.max_bytes)
        if not is_whole:
            raise AnswerRejected(
                f"the server's answer: expected at most {asked.max_bytes:,} bytes, got more"
            )
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise AnswerUnreadable(f"{error}, in {bytes(body[:_SHOWN_BYTES])!r}") from None

    def _judge(self, error: "_StatusError") -> _Fault:
        """The meaning of an error status: a fault that may pass, or an exception."""
        status = error.status
        message = self._clean(f"{status}: {_told_message(error.body)}")
        where = f"server {self._config.base_url}"
        if advice := _ADVICE.get(status):
            state = "is set" if self._key else "is not set where the engine runs"
            advice = advice.format(env=self._config.api_key_env, state=state)
            raise AccessRefused(f"{where}: {message}; {advice}") from None
        if status in _PASSING_STATUSES or (status >= 500 and status != _NOT_IMPLEMENTED):
            return _Fault(message, status == 429, retry_after_s=_retry_after_s(error.headers))
        raise RequestRejected(f"{where}: {message}") from None

    async def _doubt_request(self, fault: _Fault) -> None:
        """Return unless the server answers its trial, while it answers this request unreadably.

        Raises:
            RequestRejected: it does.
        """
        if self.trial is None:
            return
        with contextlib.suppress(RequestRejected):
            if isinstance(await self._try(self.trial), _Fault):
                return
        self._note_answer()
        raise AnswerRejected(
            f"server {self._config.base_url} answers others, but not this request: {fault.text}"
        )

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
            raise AnswerRejected(
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
        """A message that a row can hold: in Unicode, without the key, and not too long."""
        text = text.encode(errors="backslashreplace").decode()
        text = text.replace(self._key, "[key]") if self._key else text
        return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


class _StatusError(Exception):
    """An answer whose status is an error."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


def _headers(key: str | None) -> dict[str, str]:
    """The key, and which of a user's organizations and projects pays, as OpenAI's clients send."""
    found = {"Authorization": f"Bearer {key}" if key else None}
    for header, variable in _ACCOUNTS.items():
        found[header] = os.environ.get(variable)
    return {name: value for name, value in found.items() if value}


async def _read_body(response: Any, max_bytes: int) -> tuple[bytes, bool]:
    """The first bytes of a body, and whether they are all."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk[: max_bytes + 1 - len(body)]
        if len(body) > max_bytes:
            return bytes(body[:max_bytes]), False
    return bytes(body), True


def _told_message(body: bytes) -> str:
    """What an error says, in the forms that servers give it."""
    with contextlib.suppress(ValueError, RecursionError, AttributeError):
        told = json.loads(body)
        told = told.get("error", told)
        message = told if isinstance(told, str) else told.get("message")
        if isinstance(message, str):
            return message
    return body.decode(errors="backslashreplace").strip()


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait that a Retry-After header asks for in seconds or as a date; None for nonsense."""
    value = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        seconds = float(value)
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    with contextlib.suppress(ValueError, OverflowError, TypeError):
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    return None
