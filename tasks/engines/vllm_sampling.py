"""vLLM's sampling parameters for a request, and the log probabilities in its output.

vLLM gives, at each position, the log probability of the sampled token and, where alternatives were
requested, those of the k most likely tokens behind it; all are those of the model, before
temperature and the other sampling parameters.
"""

from collections.abc import Sequence
from typing import Any

from schemas.engines import GenerationRequest
from schemas.errors import RequestRejected
from tasks.engines.vllm_arguments import refusals


def sampling_params(
    request: GenerationRequest, room: int, stop_tokens: frozenset[int] | None
) -> list[Any]:
    """The parameters of each continuation for vLLM; they differ only in their seeds.

    Args:
        request: what is asked.
        room: tokens that the model's context has left.
        stop_tokens: the tokens that stand for the stop strings; None if the text must be searched.

    Raises:
        RequestRejected: vLLM refuses a parameter; its own words.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    named: dict[str, Any] = {}
    if request.named_ids:
        if "logprob_token_ids" not in SamplingParams.__struct_fields__:
            raise RequestRejected("this vLLM cannot tell the log probabilities of given tokens")
        named = {"logprob_token_ids": list(request.named_ids)}
    try:
        params = [
            SamplingParams(
                temperature=request.temperature,
                top_p=request.top_p,
                top_k=request.top_k or 0,
                min_p=request.min_p,
                repetition_penalty=request.repetition_penalty,
                max_tokens=min(request.max_tokens, room),
                stop=list(request.stop) if stop_tokens is None else [],
                stop_token_ids=sorted({*(stop_tokens or ()), *request.stop_ids}),
                include_stop_str_in_output=True,
                # vLLM decodes each token as it comes, to look for stop strings, and again for
                # its log probability. Decoding once at the end is a tenth faster, or more.
                detokenize=stop_tokens is None,
                seed=None if request.seed is None else request.seed + index,
                logprobs=_num_logprobs(request),
                **named,
                flat_logprobs=True,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            for index in range(request.n)
        ]
    except refusals() as error:
        raise RequestRejected(f"vLLM refused the request: {error}") from error
    for each in params:
        each.skip_clone = True  # only this request uses them, so vLLM need not copy them
    return params


def sampled_logprobs(output: Any) -> tuple[float, ...]:
    """[num_tokens] the log probability of each sampled token."""
    told = output.logprobs
    return tuple([told.logprobs[start] for start in told.start_indices])


def confidences(output: Any) -> tuple[float, ...]:
    """[num_tokens] minus the mean log probability of the k most likely tokens at each position."""
    told = output.logprobs
    return tuple(
        -sum(told.logprobs[start + 1 : end]) / (end - start - 1)
        for start, end in zip(told.start_indices, told.end_indices, strict=True)
    )


def named_logprobs(output: Any, named_ids: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    """[num_tokens][num_named] the log probabilities of the tokens that the request named."""
    told = output.logprobs
    rows = []
    for start, end in zip(told.start_indices, told.end_indices, strict=True):
        found = dict(zip(told.token_ids[start:end], told.logprobs[start:end], strict=True))
        rows.append(tuple(found[token_id] for token_id in named_ids))
    return tuple(rows)


def _num_logprobs(request: GenerationRequest) -> int | None:
    """Alternatives to the sampled token at each position; None for no log probability at all."""
    if request.named_ids:
        return len(request.named_ids)
    if request.num_alternatives:
        return request.num_alternatives
    return 0 if request.with_logprobs else None
