"""Between the engine protocol and the JSON of OpenAI's completions and chat APIs.

vLLM and SGLang get fields beyond OpenAI's: keep the stop string, return the token ids, and take the
request's top-k, min-p and repetition penalty rather than the model's own defaults. Other servers
have no such fields, and a request that needs one is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Literal

from schemas.engines import (
    UNTOLD_TOKEN,
    Completion,
    FinishReason,
    GenerationRequest,
    OpenAIConfig,
)
from schemas.errors import RequestRejected
from tasks.engines.openai_server import AnswerUnreadable
from tasks.steps.token_texts import Start

ServerKind = Literal["vllm", "sglang", "other"]

_FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
_EXTRA_FIELDS: dict[ServerKind, dict[str, Any]] = {
    "vllm": {"return_token_ids": True, "include_stop_str_in_output": True},
    "sglang": {"return_token_ids": True, "no_stop_trim": True},
    "other": {},
}
_NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
_THOUGHT_FIELDS = ("reasoning_content", "reasoning")
"""The fields in which servers give a thought apart, by the newer and the older name."""
_STOP_FIELDS = ("stop_reason", "matched_stop")
"""The fields in which vLLM and SGLang report what ended a text: a string or a token id."""


@dataclass(frozen=True, slots=True)
class Served:
    """The facts that a server reports about itself and its model."""

    kind: ServerKind
    max_model_len: int | None = None
    """Longest prompt and continuation in tokens, if the server reports it."""
    model_names: tuple[str, ...] = ()

    @property
    def takes_ids(self) -> bool:
        """Whether it continues token ids and reports those that it sampled."""
        return self.kind != "other"


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


def describe_server(models: Sequence[Mapping[str, Any]], config: OpenAIConfig) -> Served:
    """The facts about the server in its list of models."""
    owners = {model.get("owned_by") for model in models}
    found: ServerKind = "other"
    if "vllm" in owners:
        found = "vllm"
    elif "sglang" in owners:
        found = "sglang"
    lengths = [m.get("max_model_len") for m in models if m.get("id") == config.model]
    return Served(
        kind=found if config.server.kind == "auto" else config.server.kind,
        max_model_len=lengths[0] if lengths else None,
        model_names=tuple(str(model.get("id")) for model in models),
    )


def request_body(
    request: GenerationRequest,
    index: int,
    config: OpenAIConfig,
    served: Served,
    *,
    start: Start | None = None,
) -> dict[str, Any]:
    """The JSON of the query for continuation `index` of a request.

    Args:
        request: what to continue.
        index: of the continuation.
        config: the model and its API.
        served: facts about the server.
        start: the tokens to continue; None to send the text of prompt and prefix.

    Raises:
        RequestRejected: this server cannot continue a prefix over its chat API, or has no field for
            a sampling parameter of the request.
    """
    max_tokens = min(request.max_tokens, served.max_model_len or request.max_tokens)
    body: dict[str, Any] = {
        "model": config.model,
        "temperature": request.temperature,
        "top_p": request.top_p,
        **_EXTRA_FIELDS[served.kind],
        **_sampling_fields(request, served),
    }
    if request.stop:
        body["stop"] = list(request.stop)
    if request.seed is not None:
        body["seed"] = request.seed + index
    if config.api == "chat":
        body[config.server.max_tokens_field] = max_tokens
        body |= _chat_fields(request, served)
    else:
        body["max_tokens"] = max_tokens
        text = request.prompt + request.prefix
        body["prompt"] = text if start is None else start.token_ids
        if request.with_logprobs or _num_likeliest(request):
            least = 1 if served.kind == "other" else 0
            body["logprobs"] = max(_num_likeliest(request), least)
        if served.kind == "vllm" and start is None:
            body["add_special_tokens"] = not request.has_chat_template
    return body


def _sampling_fields(request: GenerationRequest, served: Served) -> dict[str, Any]:
    """The parameters that OpenAI's API does not have."""
    top_k = -1 if request.top_k is None else request.top_k
    fields: dict[str, Any] = {
        "top_k": top_k,
        "min_p": request.min_p,
        "repetition_penalty": request.repetition_penalty,
    }
    if request.stop_ids:
        fields["stop_token_ids"] = list(request.stop_ids)
    if served.kind != "other":
        return fields
    for name, value in fields.items():
        if value != _NEUTRAL.get(name):
            raise RequestRejected(
                f"this server has no field {name} (got {value}): it needs a vLLM or SGLang server; "
                "if it is one, set server.kind"
            )
    return {}


def _chat_fields(request: GenerationRequest, served: Served) -> dict[str, Any]:
    """The messages, and whether the last of them is to be continued."""
    arguments: dict[str, Any] = {}
    if request.has_chat_template:
        messages = json.loads(request.prompt)
        if isinstance(messages, dict):
            arguments, messages = messages["template_arguments"], messages["messages"]
    else:
        messages = [{"role": "user", "content": request.prompt}]
    fields: dict[str, Any] = {"messages": messages}
    if request.with_logprobs or _num_likeliest(request):
        fields["logprobs"] = True
    if _num_likeliest(request):
        fields["top_logprobs"] = _num_likeliest(request)
    if arguments:
        if served.kind == "other":
            raise RequestRejected(
                f"this server's chat API takes no template_arguments ({', '.join(arguments)}): it "
                "needs the completions API, or a vLLM or SGLang server"
            )
        fields["chat_template_kwargs"] = arguments
    if request.prefix and messages[-1]["role"] == "assistant":
        messages[-1]["content"] += request.prefix
    elif request.prefix:
        messages.append({"role": "assistant", "content": request.prefix})
    if messages[-1]["role"] == "assistant":
        if served.kind == "other":
            raise RequestRejected(
                "this server's chat API cannot continue the beginning of an answer: rollouts, "
                "searches and a prompt with opening words need the completions API, or a vLLM or "
                "SGLang server"
            )
        fields |= {"continue_final_message": True, "add_generation_prompt": False}
    return fields


def _num_likeliest(request: GenerationRequest) -> int:
    """Most likely tokens that the request needs at each position."""
    return max(request.num_alternatives, request.num_told)


def read_continuation(
    answer: Any, request: GenerationRequest, config: OpenAIConfig
) -> Continuation:
    """The continuation in a server's answer.

    Raises:
        AnswerUnreadable: it is not an answer, or not a complete one.
        RequestRejected: the text ended in a way that makes it unusable.
    """
    is_chat = config.api == "chat"
    try:
        (choice,) = answer["choices"]
        text = _told_text(choice, request) if is_chat else choice["text"] or ""
        finish_reason, stop_string = _ending(choice, request)
        usage: Mapping[str, Any] = answer["usage"]
        told = choice.get("logprobs")
        tokens, logprobs = _told_tokens(told, is_chat) if told else (None, None)
        confidences = _told_confidences(told, is_chat, request.num_alternatives) if told else None
        likeliest = _told_likeliest(told, is_chat) if told and request.num_told else None
        token_ids = choice.get("token_ids")
        prompt_tokens = int(usage["prompt_tokens"])
        if token_ids is None:
            count = int(usage["completion_tokens"]) if logprobs is None else len(logprobs)
            token_ids = [UNTOLD_TOKEN] * count
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnswerUnreadable(
            f"expected one continuation with its usage, got {str(answer)[:200]} ({error!r})"
        ) from None
    if logprobs is not None and len(logprobs) != len(token_ids):
        raise AnswerUnreadable(
            f"expected {len(token_ids)} log probabilities, one a token, got {len(logprobs)}"
        )
    if stop_string is not None and not text.endswith(stop_string):
        text += stop_string
    completion = Completion(
        text=text,
        token_ids=tuple(token_ids),
        logprobs=tuple(logprobs) if logprobs is not None and request.with_logprobs else None,
        finish_reason=finish_reason,
        stop_string=stop_string,
        token_texts=None if tokens is None else _pieces(text, tokens),
        confidences=confidences,
        told=likeliest,
    )
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return Continuation(completion, prompt_tokens, cached or 0)


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
        raise RequestRejected(f"the server ended the text with reason {reason!r}")
    if reason == "length" or not request.stop:
        return _FINISH_REASONS[reason], None
    said = [choice[field] for field in _STOP_FIELDS if field in choice]
    if not said and not request.needs_stop_string:
        return "stop", None
    if not said:
        raise RequestRejected(
            f"the server does not say whether the text ended by itself or at one of "
            f"{list(request.stop)}: searches by step need a vLLM or SGLang server"
        )
    return "stop", next((stop for stop in said if stop in request.stop), None)


def _told_tokens(logprobs: Mapping[str, Any], is_chat: bool) -> tuple[list[str], list[float]]:
    """[num_tokens] texts and log probabilities; the two APIs lay them out differently."""
    if is_chat:
        content = logprobs["content"]
        return [token["token"] for token in content], [token["logprob"] for token in content]
    return logprobs["tokens"], logprobs["token_logprobs"]


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
    likeliest = [sorted(each, reverse=True)[:num_alternatives] for each in told]
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
