"""The JSON of an OpenAI-compatible server's answer as a continuation: the one place that checks it.

What comes from a server may be anything. An answer that lacks what every answer has is unreadable
and is asked for again (`openai_server.py`). One that has it, with values that cannot be true, would
come back the same: its request is rejected, and becomes a row with status `error`. Nothing that
passes can fail to be stored: texts are Unicode, log probabilities finite, counts within reason.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from schemas.engines import (
    UNTOLD_TOKEN,
    Completion,
    FinishReason,
    GenerationRequest,
    OpenAIConfig,
)
from schemas.errors import AnswerRejected
from tasks.engines.openai_server import AnswerUnreadable

_FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
_THOUGHT_FIELDS = ("reasoning_content", "reasoning")
"""The fields in which servers give a thought apart, by the newer and the older name."""
_STOP_FIELDS = ("stop_reason", "matched_stop")
"""The fields in which vLLM and SGLang report what ended a text: a string or a token id."""
_MOST_BEYOND = 32_768
"""Tokens beyond four times a limit that are believed: some servers count thoughts they hide, and
templates that they add."""
_ROUNDING = 0.01
"""A log probability above 0 that rounding explains."""
_LONGEST_SHOWN = 200
_MAX_ID = 2**31


@dataclass(frozen=True, slots=True)
class Continuation:
    """One continuation and the cost of its prompt."""

    completion: Completion
    prompt_tokens: int
    cached_tokens: int


def read_models(answer: Any) -> list[Mapping[str, Any]]:
    """The models of a server's list.

    Raises:
        AnswerUnreadable: it is not a list of models.
    """
    models = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        raise AnswerUnreadable(f"expected a list of models, got {answer!r}")
    return models


def read_continuation(
    answer: Any, request: GenerationRequest, config: OpenAIConfig
) -> Continuation:
    """The continuation in a server's answer.

    Raises:
        AnswerUnreadable: it is not an answer, or not a complete one.
        AnswerRejected: the text ended in a way that makes it unusable, or a value cannot be true.
    """
    try:
        return _read(answer, request, is_chat=config.api == "chat")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnswerUnreadable(
            f"expected one continuation with its usage, got {_show(answer)} ({_show(error)})"
        ) from None


def _read(answer: Any, request: GenerationRequest, *, is_chat: bool) -> Continuation:
    (choice,) = answer["choices"]
    text = _told_text(choice, request) if is_chat else choice["text"] or ""
    finish_reason, stop_string = _ending(choice, request)
    usage: Mapping[str, Any] = answer["usage"]
    told = choice.get("logprobs")
    tokens, logprobs = _told_tokens(told, is_chat) if told else (None, None)
    token_ids = choice.get("token_ids")
    most = 4 * request.max_tokens + _MOST_BEYOND
    if token_ids is None:
        told_count = usage["completion_tokens"] if logprobs is None else len(logprobs)
        token_ids = [UNTOLD_TOKEN] * _check_count(told_count, "generated tokens", most)
    else:
        _check_ids(token_ids, most)
    if logprobs is not None and len(logprobs) != len(token_ids):
        raise _unlikely(f"{len(token_ids)} log probabilities, one a token", len(logprobs))
    if stop_string is not None and not text.endswith(stop_string):
        text += stop_string
    completion = Completion(
        text=_check_text(text),
        token_ids=tuple(token_ids),
        logprobs=tuple(logprobs) if logprobs is not None and request.with_logprobs else None,
        finish_reason=finish_reason,
        stop_string=stop_string,
        token_texts=None if tokens is None else _pieces(text, tokens),
        confidences=_told_confidences(told, is_chat, request.num_alternatives) if told else None,
        told=_told_likeliest(told, is_chat) if told and request.num_told else None,
    )
    if completion.confidences and len(completion.confidences) != len(token_ids):
        raise _unlikely(
            f"the likeliest tokens at each of {len(token_ids)}", len(completion.confidences)
        )
    asked = len((request.prompt + request.prefix).encode(errors="replace"))
    prompt_tokens = _check_count(
        usage["prompt_tokens"], "tokens of the prompt", 4 * asked + _MOST_BEYOND
    )
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Continuation(
        completion, prompt_tokens, _check_count(cached, "cached tokens", prompt_tokens)
    )


def _unlikely(expected: str, got: object) -> AnswerRejected:
    """The error for a value that cannot be true."""
    return AnswerRejected(f"the server's answer: expected {expected}, got {_show(got)}")


def _show(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."


def _check_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _unlikely(
            f"a text in Unicode, without half of a surrogate pair (at character {error.start})",
            text[max(0, error.start - 20) : error.end + 20],
        ) from None
    return text


def _check_count(value: Any, what: str, most: int) -> int:
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    if not is_whole or not 0 <= value <= most:
        raise _unlikely(f"from 0 to {most:,} {what}", value)
    return int(value)


def _check_ids(token_ids: Any, most: int) -> None:
    if len(token_ids) > most:
        raise _unlikely(f"at most {most:,} tokens", len(token_ids))
    for token_id in token_ids:
        if type(token_id) is not int or not 0 <= token_id < _MAX_ID:
            raise _unlikely("ids of tokens", token_id)


def _check_logprob(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or value > _ROUNDING:
        raise _unlikely("a log probability", value)
    return float(value)


def _told_text(choice: Mapping[str, Any], request: GenerationRequest) -> str:
    """The text of a message; a thought that the server gives apart stands before it, in its tags.

    A thought has no end if the text was cut before there was an answer, and no beginning if the
    request's prefix has it.
    """
    message = choice["message"]
    found = [message[name] for name in _THOUGHT_FIELDS if message.get(name)]
    if not found:
        return message["content"] or ""
    answer: str = message.get("content") or ""
    start, end = request.thought_tags
    is_begun = request.prefix.rfind(start) > request.prefix.rfind(end)
    is_ended = answer or choice["finish_reason"] != "length"
    return ("" if is_begun else start) + found[0] + (end if is_ended else "") + answer


def _ending(
    choice: Mapping[str, Any], request: GenerationRequest
) -> tuple[FinishReason, str | None]:
    """Why a text ended, and at which stop string."""
    reason = choice["finish_reason"]
    if reason == "abort":
        raise AnswerUnreadable("the server aborted the generation")
    if reason not in _FINISH_REASONS:
        raise AnswerRejected(f"the server ended the text with reason {_show(reason)}")
    if reason == "length" or not request.stop:
        return _FINISH_REASONS[reason], None
    said = [choice[field] for field in _STOP_FIELDS if field in choice]
    if not said and not request.needs_stop_string:
        return "stop", None
    if not said:
        raise AnswerRejected(
            f"the server does not say whether the text ended by itself or at one of "
            f"{list(request.stop)}: searches by step need a vLLM or SGLang server"
        )
    return "stop", next((stop for stop in said if stop in request.stop), None)


def _told_tokens(logprobs: Mapping[str, Any], is_chat: bool) -> tuple[list[str], list[float]]:
    """[num_tokens] texts and log probabilities; the two APIs lay them out differently."""
    if is_chat:
        content = logprobs["content"]
        tokens, told = [at["token"] for at in content], [at["logprob"] for at in content]
    else:
        tokens, told = logprobs["tokens"], logprobs["token_logprobs"]
    if len(tokens) != len(told):
        raise _unlikely(f"{len(tokens)} log probabilities, one a token", len(told))
    return tokens, [_check_logprob(value) for value in told]


def _told_confidences(
    logprobs: Mapping[str, Any], is_chat: bool, num_alternatives: int
) -> tuple[float, ...] | None:
    """[num_tokens] minus the mean log probability of the k most likely tokens, as far as told.

    The completions API tells alternatives by their texts, so of equal texts only one is told.
    """
    if not num_alternatives:
        return None
    if is_chat:
        told = [[each["logprob"] for each in at["top_logprobs"]] for at in logprobs["content"]]
    else:
        told = [list(at.values()) for at in logprobs.get("top_logprobs") or []]
    if not told or not all(told):
        return None
    likeliest = [
        sorted(map(_check_logprob, each), reverse=True)[:num_alternatives] for each in told
    ]
    return tuple(-sum(each) / len(each) for each in likeliest)


def _told_likeliest(
    logprobs: Mapping[str, Any], is_chat: bool
) -> tuple[Mapping[str, float], ...] | None:
    """[num_tokens] log probabilities of the most likely tokens by their texts, if they are told.

    Empty at a token where none are.
    """
    if is_chat:
        rows = [
            {each["token"]: each["logprob"] for each in reversed(at.get("top_logprobs") or [])}
            for at in logprobs["content"]
        ]
    else:
        rows = [dict(at or {}) for at in logprobs.get("top_logprobs") or []]
    for row in rows:
        for logprob in row.values():
            _check_logprob(logprob)
    num_tokens = len(logprobs["content" if is_chat else "tokens"])
    return tuple(rows) if any(rows) and len(rows) == num_tokens else None


def _pieces(text: str, tokens: Sequence[str]) -> tuple[str, ...] | None:
    """[num_tokens] pieces that join to the text, if the tokens' own texts begin with it.

    Anything after the text is not in a piece: an end-of-text token, or the rest of a token in which
    a stop string ended.
    """
    if not "".join(tokens).startswith(text):
        return None
    ends = accumulate(map(len, tokens), initial=0)
    return tuple(text[start:end] for start, end in pairwise(ends))
