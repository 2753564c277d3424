"""Between the engine protocol and the JSON of OpenAI's completions and chat APIs.

vLLM and SGLang get fields beyond OpenAI's: keep the stop string, return the token ids, and take the
request's top-k, min-p and repetition penalty rather than the model's own defaults. Other servers
have no such fields, and a request that needs one is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.engines import (
    GenerationRequest,
    OpenAIConfig,
)
from schemas.errors import RequestRejected
from tasks.steps.token_texts import Start

ServerKind = Literal["vllm", "sglang", "other"]

_EXTRA_FIELDS: dict[ServerKind, dict[str, Any]] = {
    "vllm": {"return_token_ids": True, "include_stop_str_in_output": True},
    "sglang": {"return_token_ids": True, "no_stop_trim": True},
    "other": {},
}
_LEAST_ANSWER_BYTES = 2 << 20
_BYTES_A_TOKEN = 256
"""Of its text, escaped and as bytes, its id and its log probability."""
_BYTES_AN_ALTERNATIVE = 128
_BYTES_A_PROMPT_TOKEN = 16
_MOST_ANSWER_BYTES = 256 << 20
_NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}


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


def describe_server(models: Sequence[Mapping[str, Any]], config: OpenAIConfig) -> Served:
    """The facts about the server in its list of models."""
    owners = [model.get("owned_by") for model in models]
    found: ServerKind = "other"
    if "vllm" in owners:
        found = "vllm"
    elif "sglang" in owners:
        found = "sglang"
    lengths = [m.get("max_model_len") for m in models if m.get("id") == config.model]
    lengths = [length for length in lengths if type(length) is int and length > 0]
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


def max_answer_bytes(request: GenerationRequest, body: Mapping[str, Any]) -> int:
    """More bytes than the JSON of any answer has: a longer one is refused while it is read."""
    a_token = _BYTES_A_TOKEN + _BYTES_AN_ALTERNATIVE * _num_likeliest(request)
    asked = len(request.prompt) + len(request.prefix) + len(body.get("prompt", ()))
    told = _BYTES_A_PROMPT_TOKEN * asked + a_token * request.max_tokens
    return min(_LEAST_ANSWER_BYTES + told, _MOST_ANSWER_BYTES)
