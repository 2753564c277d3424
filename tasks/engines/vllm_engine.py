"""A language model or a verifier served by vLLM, behind the engine protocol.

A policy or critic generates; a verifier is a token-classification checkpoint with two labels
(label 1 = right), read by vLLM's pooling runner at the positions of `tasks.verifiers.layout`.
How vLLM runs, in this process or beside it, is the matter of `vllm_drivers`.

Log probabilities are those of the model before temperature and top-p. Continuation i of a request
with seed s is drawn with seed s + i, as vLLM itself does.
"""

import asyncio
import math
from functools import lru_cache
from typing import Any

from schemas.engines import (
    Completion,
    FinishReason,
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
    VLLMConfig,
)
from schemas.errors import EngineFailed, RequestRejected
from schemas.rows import ModelRole
from tasks.engines.token_texts import TokenDecoder
from tasks.engines.vllm_drivers import Driver, open_driver, prepare_environment, refusals
from tasks.models import check_model_folder, identify_model, load_tokenizer, resolve_model
from tasks.verifiers.layout import lay_out

_FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
_CACHED_PROMPTS = 4096


async def open_vllm_engine(config: VLLMConfig, role: ModelRole, *, separator: str) -> "VLLMEngine":
    """Check a model, load it into vLLM, and give the engine that serves it.

    Args:
        config: the model and how vLLM runs it.
        role: policies and critics generate, verifiers score.
        separator: what ends a step; a verifier must have been trained with the same.

    Raises:
        ModelUnusable: the model is not of the kind the role needs, or vLLM cannot serve it.
    """
    folder = resolve_model(config.model, config.revision)
    check_model_folder(folder, role, separator=separator)
    prepare_environment()
    tokenizer = load_tokenizer(folder)
    driver = open_driver(config, str(folder), role)

    import vllm
    from vllm.platforms import current_platform

    version = vllm.__version__.partition("+")[0]
    return VLLMEngine(
        driver,
        tokenizer,
        role=role,
        separator=separator,
        name=f"vllm {version} {current_platform.device_type}",
        model_id=identify_model(config.model, config.revision),
    )


class VLLMEngine:
    """An `Engine` (see tasks.engines.base) on a model that vLLM has loaded."""

    def __init__(
        self,
        driver: Driver,
        tokenizer: Any,
        *,
        role: ModelRole,
        separator: str,
        name: str,
        model_id: str,
    ) -> None:
        self.name = name
        self.model_id = model_id
        self._driver = driver
        self._tokenizer = tokenizer
        self._role: ModelRole = role
        self._separator = separator
        self._decoder = TokenDecoder(tokenizer)
        self._prompt_ids = lru_cache(_CACHED_PROMPTS)(self._tokenize_prompt)

    async def generate(self, request: GenerationRequest) -> Generation:
        """Continue one prompt or prefix n times.

        Raises:
            RequestRejected: the prompt leaves no room to generate, or a parameter is out of range.
            EngineFailed: the engine is gone.
        """
        if self._role == "verifier":
            raise ValueError(f"{self.model_id} is a verifier: expected a policy to generate with")
        token_ids = [*self._prompt_ids(request.prompt, request.has_chat_template)]
        if request.prefix:
            token_ids += self._tokenizer(request.prefix, add_special_tokens=False)["input_ids"]
        self._check_length(token_ids, room=1)
        outputs = await self._run(
            token_ids, self._sampling_params(request, self._driver.max_model_len - len(token_ids))
        )
        return Generation(
            completions=tuple(
                self._completion(output.outputs[0], has_text=bool(request.stop))
                for output in outputs
            ),
            prompt_tokens=len(token_ids),
            cached_tokens=outputs[0].num_cached_tokens or 0,
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        """Score each step of one solution: the probability of label 1 behind its separator.

        Raises:
            RequestRejected: the solution is too long, has an empty step or none, or a score is
                not a number.
            EngineFailed: the engine is gone.
        """
        from vllm import PoolingParams

        if self._role != "verifier":
            raise ValueError(f"{self.model_id} is a {self._role}: expected a verifier to score")
        try:
            layout = lay_out(
                self._tokenizer,
                request.prompt,
                request.steps,
                self._separator,
                has_chat_template=request.has_chat_template,
            )
        except ValueError as error:
            raise RequestRejected(str(error)) from error
        self._check_length(layout.token_ids, room=0)
        params = PoolingParams(task="token_classify", use_activation=False)
        (output,) = await self._run(layout.token_ids, [params])
        logits = output.outputs.data
        if tuple(logits.shape) != (len(layout.token_ids), 2):
            raise RequestRejected(
                f"expected logits of shape {(len(layout.token_ids), 2)}, got {tuple(logits.shape)}"
            )
        scores = logits[layout.positions].double().softmax(-1)[:, 1].tolist()
        if not all(map(math.isfinite, scores)):
            step = next(i for i, score in enumerate(scores) if not math.isfinite(score))
            raise RequestRejected(f"step {step}: expected a score in [0, 1], got {scores[step]}")
        return StepScoring(
            scores=tuple(scores),
            scored_tokens=len(layout.token_ids),
            cached_tokens=output.num_cached_tokens or 0,
        )

    async def close(self) -> None:
        """Free the model; requests in flight fail with EngineFailed."""
        await self._driver.close()

    async def _run(self, token_ids: list[int], params: list[Any]) -> list[Any]:
        """Run one prompt under each of some parameters; vLLM's final outputs, in order.

        They are separate requests to vLLM, whose own n > 1 reports the cached tokens of whichever
        continuation ends last; the first one alone says what was cached before.
        """
        futures: list[asyncio.Future[Any]] = []
        try:
            for each in params:
                futures.append(self._driver.submit(token_ids, each))
            return await asyncio.gather(*futures)
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _tokenize_prompt(self, prompt: str, has_chat_template: bool) -> tuple[int, ...]:
        """Token ids of a prompt, with special tokens unless its chat template brought them."""
        ids = self._tokenizer(prompt, add_special_tokens=not has_chat_template)["input_ids"]
        return tuple(ids)

    def _check_length(self, token_ids: list[int], *, room: int) -> None:
        """Reject what does not fit into the model's context with some tokens of room."""
        limit = self._driver.max_model_len - room
        if not 1 <= len(token_ids) <= limit:
            raise RequestRejected(
                f"expected 1 to {limit} tokens of prompt and answer (the context of "
                f"{self.model_id}), got {len(token_ids)}"
            )

    def _sampling_params(self, request: GenerationRequest, room: int) -> list[Any]:
        """The parameters of each continuation for vLLM; they differ in their seeds alone."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        try:
            return [
                SamplingParams(
                    temperature=request.temperature,
                    top_p=request.top_p,
                    max_tokens=min(request.max_tokens, room),
                    stop=list(request.stop),
                    include_stop_str_in_output=True,
                    # vLLM decodes each token as it comes, to look for stop strings, and again for
                    # its log probability; without stop strings decoding once is a tenth faster.
                    detokenize=bool(request.stop),
                    seed=None if request.seed is None else request.seed + index,
                    logprobs=0 if request.with_logprobs else None,
                    flat_logprobs=True,
                    output_kind=RequestOutputKind.FINAL_ONLY,
                )
                for index in range(request.n)
            ]
        except refusals() as error:
            raise RequestRejected(f"vLLM refused the request: {error}") from error

    def _completion(self, output: Any, *, has_text: bool) -> Completion:
        """One continuation from vLLM's own record of it."""
        if output.finish_reason not in _FINISH_REASONS:
            raise EngineFailed(f"vLLM ended a continuation with reason {output.finish_reason!r}")
        token_ids = tuple(output.token_ids)
        # A number here is an end-of-text token of a model that has several.
        stop_string = output.stop_reason if isinstance(output.stop_reason, str) else None
        text = output.text if has_text else self._decoder.decode(token_ids)
        return Completion(
            text=text,
            token_ids=token_ids,
            logprobs=None if output.logprobs is None else tuple(output.logprobs.logprobs),
            finish_reason=_FINISH_REASONS[output.finish_reason],
            stop_string=stop_string,
            token_texts=self._decoder.split(text, token_ids),
        )
