"""Answers of a model's server that no model gives, as bodies: for `faults.py` and the tests."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an answer with status 200."""

    content: bytes
    said: str = ""
    """What the error of its request says, as a regular expression."""
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(text: Any = "4", **fields: Any) -> dict[str, Any]:
    """A whole completion of two tokens."""
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None, **fields}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "c", "object": "text_completion", "choices": [choice], "usage": usage}


def told(logprobs: list[Any], **fields: Any) -> dict[str, Any]:
    """A completion of the tokens "2 " and "4" with these log probabilities."""
    more = {name: fields.pop(name) for name in ("top_logprobs",) if name in fields}
    tokens = {"tokens": ["2 ", "4"], "token_logprobs": logprobs, **more}
    return answer("2 4", logprobs=tokens, **fields)


def counted(**usage: Any) -> dict[str, Any]:
    """A completion with other counts of tokens."""
    return {**answer(), "usage": {"prompt_tokens": 5, "completion_tokens": 2, **usage}}


def body(value: Any, said: str = "") -> Body:
    """A body of JSON, in which numbers may be NaN, infinite and halves of surrogate pairs."""
    return Body(json.dumps(value).encode(), said)


_NAN = float("nan")
_HALF = "half of a surrogate pair"
_LONG = "expected at most [0-9,]+ bytes, got more"

UNTRUE: dict[str, Body] = {
    "half a surrogate": body(answer("4 \ud800"), _HALF),
    "half a surrogate at the end": body(answer("4\udfff"), _HALF),
    "a null log probability": body(told([-0.5, None]), "a log probability, got None"),
    "a log probability of NaN": body(told([-0.5, _NAN]), "a log probability, got nan"),
    "an infinite one": body(told([-0.5, float("-inf")]), "a log probability, got -inf"),
    "one that is true": body(told([-0.5, True]), "a log probability, got True"),
    "one above 0": body(told([-0.5, 3.0]), "a log probability, got 3.0"),
    "one in words": body(told([-0.5, "-1"]), "a log probability, got '-1'"),
    "more tokens than log probabilities": body(
        told([-0.5]), "expected 2 log probabilities, one a token, got 1"
    ),
    "fewer tokens": body(told([-0.5] * 3), "expected 2 log probabilities, one a token, got 3"),
    "fewer ids": body(told([-0.5] * 2, token_ids=[1]), "expected 1 log probabilities.*, got 2"),
    "an id that is text": body(answer(token_ids=[5, "6"]), "ids of tokens, got '6'"),
    "a negative id": body(answer(token_ids=[5, -6]), "ids of tokens, got -6"),
    "an id beyond 32 bits": body(answer(token_ids=[5, 2**40]), "ids of tokens, got 1099511627776"),
    "10^5 ids": body(answer(token_ids=[5] * 10**5), "at most [0-9,]+ tokens, got 100000"),
    "10^12 tokens": body(counted(completion_tokens=10**12), "generated tokens, got 10+"),
    "10^300 tokens": body(counted(completion_tokens=1e300), "generated tokens, got 1e.300"),
    "-2 tokens": body(counted(completion_tokens=-2), "generated tokens, got -2"),
    "a prompt of 10^12 tokens": body(counted(prompt_tokens=10**12), "of the prompt, got 10+"),
    "a prompt of -1": body(counted(prompt_tokens=-1), "tokens of the prompt, got -1"),
    "half a token": body(counted(prompt_tokens=1.5), "tokens of the prompt, got 1.5"),
    "a count in words": body(counted(prompt_tokens="many"), "of the prompt, got 'many'"),
    "a count of NaN": body(counted(prompt_tokens=_NAN), "tokens of the prompt, got nan"),
    "no count": body(counted(prompt_tokens=None), "tokens of the prompt, got None"),
    "more cached than read": body(
        counted(prompt_tokens_details={"cached_tokens": 6}), "from 0 to 5 cached tokens, got 6"
    ),
    "a likeliest token of NaN": body(
        told([-0.5] * 2, top_logprobs=[{"a": _NAN}] * 2), "a log probability, got nan"
    ),
    "likeliest tokens of too many": body(
        told([-0.5] * 2, top_logprobs=[{"a": -1.0}] * 3), "likeliest tokens at each of 2, got 3"
    ),
    "longer than any": Body(b"[" + b"1," * (3 << 20) + b"1]", _LONG),
    "longer than any when unpacked": Body(
        gzip.compress(b" " * (64 << 20)), _LONG, {"Content-Encoding": "gzip"}
    ),
}
"""Whole answers with values that cannot be true."""

UNREADABLE: dict[str, Body] = {
    "not UTF-8": Body(b'{"choices": [{"text": "\xff\xfe"}]}'),
    "nested without end": Body(b"[" * 200_000),
    "nested deeply": Body(b"[" * 200_000 + b"]" * 200_000),
    "a number of 10,000 digits": Body(b'{"choices": 1' + b"0" * 10_000 + b"}"),
    "a page": Body(b"<html>no</html>"),
    "nothing": Body(b""),
    "null": Body(b"null"),
    "a text": Body(b'"4"'),
    "a fragment": Body(b'{"choices": [{"te'),
    "no choice": body({"choices": [], "usage": {}}),
    "a choice that is none": body({"choices": [None], "usage": {}}),
    "no usage": body({"choices": answer()["choices"]}),
    "a text that is a list": body(answer(["4"])),
    "log probabilities in words": body(answer(logprobs="-1")),
    "a reason that is a list": body(answer(finish_reason=["stop"] * 10_000)),
}
"""Bodies that are no answer."""
