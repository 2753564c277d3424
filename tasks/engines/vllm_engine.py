"""A language model or a verifier served by vLLM, as an engine.

A policy, critic or judge generates. A verifier of any family of `tasks.verifiers` is read by vLLM's
pooling runner at the positions of its layout, starting after the cached prefix; one that is a
likelihood is read by the log probabilities of its tokens. `vllm_drivers` runs vLLM, in this process
or in its own.

Log probabilities are those of the model before temperature and top-p. Continuation i of a request
with seed s is drawn with seed s + i, as vLLM itself does.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from schemas.engines import (
    ROLE_WORK,
    Completion,
    FinishReason,
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
    VLLMConfig,
)
from schemas.errors import EngineFailed, ModelUnusable, RequestRejected
from schemas.rows import ModelRole
from schemas.steps import StepEnding, StepRule
from tasks.engines.vllm_arguments import prepare_environment
from tasks.engines.vllm_drivers import Driver, open_driver
from tasks.engines.vllm_sampling import (
    confidences,
    named_logprobs,
    sampled_logprobs,
    sampling_params,
)
from tasks.models.adapters import identify_served
from tasks.models.folders import (
    check_model_folder,
    has_tied_embeddings,
    load_tokenizer,
    resolve_model,
)
from tasks.steps.token_texts import (
    Start,
    TokenDecoder,
    check_separator,
    ending_tokens,
    start_of,
)
from tasks.verifiers.families import Verifier, open_verifier, p_right, p_written
from tasks.verifiers.layout import Encoder, TokenLayout

_FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


async def open_vllm_engine(
    config: VLLMConfig, role: ModelRole, *, separator: StepEnding
) -> "VLLMEngine":
    """Check a model, load it into vLLM, and return the engine that serves it.

    Args:
        config: the model and how vLLM runs it.
        role: what the model does, see `ROLE_WORK`.
        separator: what ends a step; a verifier must have been trained with the same.

    Raises:
        ModelUnusable: the model is not of the kind the role needs, or vLLM cannot serve it.
    """
    folder = resolve_model(config.model, config.revision)
    settings = check_model_folder(folder, role, separator=separator, family=config.verifier)
    if config.lora is not None and ROLE_WORK[role] == "score":
        raise ModelUnusable(f"{role} {folder}: expected no lora: merge the adapter into it first")
    model_id = identify_served(config)
    prepare_environment()
    tokenizer = load_tokenizer(folder)
    if role == "policy":
        check_separator(tokenizer, StepRule.of(separator).separator, str(folder))
    verifier = None
    if ROLE_WORK[role] == "score":
        verifier = open_verifier(
            folder,
            settings,
            config.verifier,
            tokenizer,
            separator=StepRule.of(separator).separator,
            model_id=model_id,
        )

    def load(folder: Path) -> Driver:
        return open_driver(config, str(folder), role, verifier)

    driver = load(folder)

    import vllm
    from vllm.platforms import current_platform

    version = vllm.__version__.partition("+")[0]
    return VLLMEngine(
        driver,
        tokenizer,
        verifier,
        load=load,
        name=f"vllm {version} {current_platform.device_type}",
        model_id=model_id,
        has_adapter=config.lora is not None,
    )


class VLLMEngine:
    """An `Engine` (see tasks.engines.base) on a model that vLLM has loaded."""

    def __init__(
        self,
        driver: Driver,
        tokenizer: Any,
        verifier: Verifier | None = None,
        *,
        load: Callable[[Path], Driver],
        name: str,
        model_id: str,
        has_adapter: bool = False,
    ) -> None:
        self.name = name
        self.model_id = model_id
        self.encoder = Encoder(tokenizer)
        """From text to token ids."""
        self.vocabulary: str | None = self.encoder.vocabulary
        self._driver = driver
        self._load = load
        self._has_adapter = has_adapter
        self._verifier = verifier
        self._decoder = TokenDecoder(tokenizer)
        self._tokenizer = tokenizer
        self._ending_tokens = lru_cache(partial(ending_tokens, tokenizer))

    async def generate(self, request: GenerationRequest) -> Generation:
        """Continue one prompt or prefix n times.

        Raises:
            RequestRejected: the prompt leaves no room to generate, or a parameter is out of range.
            EngineFailed: the engine is gone.
        """
        if self._verifier is not None:
            raise ValueError(f"{self.model_id} is a verifier: expected a policy to generate with")
        start = start_of(
            self.encoder,
            request.prompt,
            request.prefix,
            prefix_ids=request.prefix_ids,
            following=request.following,
            has_chat_template=request.has_chat_template,
        )
        token_ids = start.token_ids
        self._check_length(token_ids, room=1)
        stop_tokens = self._stop_tokens(request.stop)
        room = self._driver.max_model_len - len(token_ids)
        outputs = await self._run(token_ids, sampling_params(request, room, stop_tokens))
        return Generation(
            completions=tuple(
                self._completion(output.outputs[0], request, stop_tokens, start)
                for output in outputs
            ),
            prompt_tokens=len(token_ids),
            cached_tokens=outputs[0].num_cached_tokens or 0,
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        """Score the steps of one solution that have no known score.

        A new step after a prefix that was read earlier costs its own tokens and at most one block;
        a likelihood is read as a whole each time.

        Raises:
            RequestRejected: the solution is too long, has no step or an empty one, or a score is
                not a number.
            EngineFailed: the engine is gone.
        """
        layout = self.lay_out(request)
        assert self._verifier is not None
        # A single position for the whole solution is read even if scores are known.
        num_known = min(request.num_known, len(layout.positions) - 1)
        if self._verifier.reads_likelihood:
            logprobs = await self.token_logprobs(layout.token_ids)
            num_computed = len(layout.token_ids)
            scores = tuple(p_written(logprobs, layout)[num_known:])
        else:
            self._check_length(layout.token_ids, room=0)
            logits, num_computed = await self._read_out(
                layout.token_ids, layout.positions[num_known:]
            )
            scores = tuple(map(p_right, logits))
        for step, score in enumerate(scores, len(request.steps) - len(scores)):
            if not math.isfinite(score):
                raise RequestRejected(f"step {step}: expected a score in [0, 1], got {score}")
        num_cached = max(0, len(layout.token_ids) - num_computed)
        return StepScoring(
            scores=scores, scored_tokens=num_computed + num_cached, cached_tokens=num_cached
        )

    def lay_out(self, request: ScoringRequest) -> TokenLayout:
        """The tokens that the verifier reads of a solution, and where it reads each step.

        Raises:
            RequestRejected: the solution has no step or an empty one, or its question is missing.
        """
        if self._verifier is None:
            raise ValueError(f"{self.model_id} is not a verifier: expected a verifier to score")
        try:
            return self._verifier.lay_out(request)
        except ValueError as error:
            raise RequestRejected(str(error)) from error

    async def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """[num_tokens - 1] the log probability of each token but the first, given those before.

        The prefix cache keeps no log probabilities, so every token is computed.

        Raises:
            RequestRejected: there are fewer than two tokens, or more than the model's context
                minus one.
            EngineFailed: the engine is gone.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        if self._verifier is not None and not self._verifier.reads_likelihood:
            raise ValueError(f"{self.model_id} is a classifier: it gives no token probabilities")
        self._check_length(token_ids, room=1, least=2)
        params = SamplingParams(
            temperature=0.0,
            max_tokens=1,  # vLLM generates at least one
            detokenize=False,
            prompt_logprobs=0,
            flat_logprobs=True,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        (output,) = await self._run([*token_ids], [params])
        return list(output.prompt_logprobs.logprobs)

    async def _read_out(
        self, token_ids: list[int], positions: Sequence[int]
    ) -> tuple[list[list[float]], int]:
        """The classes' logits at some positions, and the number of tokens that were computed.

        vLLM gives the logits of the tokens it computed, which are all that follow the part in the
        prefix cache. A position in the cache is the end of a text that was scored earlier; that
        text is read once more, which computes its last block.
        """
        from vllm import PoolingParams

        params = PoolingParams(
            task="token_classify", use_activation=False, skip_reading_prefix_cache=False
        )
        (output,) = await self._run(token_ids, [params])
        logits = output.outputs.data
        num_computed = len(token_ids) - (output.num_cached_tokens or 0)
        if logits.ndim != 2 or logits.shape[1] not in (1, 2) or not len(logits):
            raise RequestRejected(
                f"expected one or two logits per token, got {tuple(logits.shape)}"
            )
        found = [position for position in positions if len(token_ids) - position <= len(logits)]
        rows = logits[[position - len(token_ids) for position in found]].tolist() if found else []
        earlier = positions[: len(positions) - len(found)]
        if not earlier:
            return rows, num_computed
        again = await asyncio.gather(
            *(self._read_out(token_ids[: position + 1], [position]) for position in earlier)
        )
        return [*(row for (row,), _ in again), *rows], num_computed + sum(n for _, n in again)

    def encode_text(self, text: str) -> Sequence[int]:
        """The tokens of a text alone, without special tokens."""
        return self.encoder.afresh(text)

    def encode_plain(self, text: str) -> Sequence[int]:
        """As `encode_text`; the name of a special token becomes the tokens of its characters."""
        return self.encoder.plain(text)

    async def update_weights(self, folder: Path) -> None:
        """Switch to other weights of the same policy; nothing cached is reused.

        vLLM reads them into the running model in a fraction of a second. Where input and output
        embeddings are one matrix it would silently leave the output's unchanged (vLLM 0.32):
        such a model is loaded anew. `check_served` checks the outcome.

        Args:
            folder: the policy with the new weights, in Hugging Face format.

        Raises:
            ModelUnusable: the folder does not hold a policy.
            ValueError: requests are in flight, or this is a verifier.
            EngineFailed: the engine is gone, or could not read the weights.
        """
        if self._verifier is not None:
            raise ValueError(f"{self.model_id} is a verifier: expected a policy to update")
        if self._has_adapter:
            raise ValueError(f"{self.model_id} has a LoRA adapter: its weights cannot be updated")
        check_model_folder(folder, "policy")
        if has_tied_embeddings(folder):
            await self._driver.close()
            self._driver = self._load(folder)
        else:
            await self._driver.reload(str(folder))

    async def close(self) -> None:
        """Free the model; requests in flight fail with EngineFailed."""
        await self._driver.close()

    async def _run(self, token_ids: list[int], params: list[Any]) -> list[Any]:
        """Run one prompt once per set of parameters; vLLM's final outputs, in order.

        These are separate requests: vLLM's own n > 1 reports the cached tokens of whichever
        continuation ends last, while only the first one's say what was cached earlier.
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

    def _check_length(self, token_ids: Sequence[int], *, room: int, least: int = 1) -> None:
        """Reject a prompt that does not fit into the model's context with `room` tokens left."""
        limit = self._driver.max_model_len - room
        if not least <= len(token_ids) <= limit:
            raise RequestRejected(
                f"expected {least} to {limit} tokens of prompt and answer (the context of "
                f"{self.model_id}), got {len(token_ids)}"
            )

    def _stop_tokens(self, stop: tuple[str, ...]) -> frozenset[int] | None:
        """The tokens to stop at, empty without stop strings; None if the text must be searched."""
        found = [self._ending_tokens(text) for text in stop]
        if any(tokens is None for tokens in found):
            return None
        return frozenset().union(*(tokens for tokens in found if tokens is not None))

    def _completion(
        self,
        output: Any,
        request: GenerationRequest,
        stop_tokens: frozenset[int] | None,
        start: Start,
    ) -> Completion:
        """One continuation, from vLLM's output.

        Its text is that of its tokens: vLLM cuts the text at the end of a stop string, in the
        middle of the token that completes it.
        """
        if output.finish_reason not in _FINISH_REASONS:
            raise EngineFailed(f"vLLM ended a continuation with reason {output.finish_reason!r}")
        token_ids = tuple(output.token_ids)
        text = self._decoder.decode(token_ids)
        pieces = self._decoder.split(text, token_ids)
        # A number is a stop token, or an end-of-text token of a model that has several.
        stop_string = output.stop_reason if isinstance(output.stop_reason, str) else None
        if stop_tokens and output.stop_reason in stop_tokens:
            stop_string = next(string for string in request.stop if text.endswith(string))
        return Completion(
            **start.without_tail(text, pieces),
            token_ids=token_ids,
            logprobs=sampled_logprobs(output) if request.with_logprobs else None,
            finish_reason=_FINISH_REASONS[output.finish_reason],
            stop_string=stop_string,
            confidences=confidences(output) if request.num_alternatives else None,
            named_logprobs=named_logprobs(output, request.named_ids) if request.named_ids else None,
        )
