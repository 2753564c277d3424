"""An implicit process reward: how much likelier a trained model finds a step than its reference.

Any model trained by DPO or cross-entropy on outcomes is one, without step labels
(arXiv:2412.01981). Both models run in vLLM side by side, with the same settings, and read the same
tokens; as for a likelihood the prefix cache is of no use. `scored_tokens` are those of both.
"""

import asyncio
import math
from collections.abc import Sequence

from schemas.engines import (
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
    VLLMConfig,
)
from schemas.errors import ModelUnusable, RequestRejected
from schemas.rows import ModelRole
from schemas.steps import StepEnding
from tasks.engines.open import identify_engine
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.verifiers.families import p_preferred


async def open_implicit_engine(
    config: VLLMConfig, role: ModelRole, *, separator: StepEnding
) -> "ImplicitEngine":
    """Load both models.

    Raises:
        ModelUnusable: one of them cannot be served, or they have different vocabularies.
    """
    told = config.implicit
    assert told is not None  # the config checks it
    model_id = identify_engine(config, role)
    own = await open_vllm_engine(config, role, separator=separator)
    try:
        other = config.with_fields(
            model=told.reference,
            revision=told.revision,
            lora=None,
            verifier="likelihood",
            implicit=None,
        )
        reference = await open_vllm_engine(other, role, separator=separator)
    except BaseException:
        await own.close()
        raise
    engine = ImplicitEngine(own, reference, beta=told.beta, model_id=model_id)
    if own.vocabulary != reference.vocabulary:
        await engine.close()
        raise ModelUnusable(
            f"{role} {config.model}: expected a reference with the same vocabulary, "
            f"{told.reference} has another one"
        )
    return engine


class ImplicitEngine:
    """An `Engine` (see tasks.engines.base) of a trained model and its reference."""

    def __init__(
        self, own: VLLMEngine, reference: VLLMEngine, *, beta: float, model_id: str
    ) -> None:
        self.name = own.name
        self.model_id = model_id
        self.vocabulary = own.vocabulary
        self._own = own
        self._reference = reference
        self._beta = beta

    async def generate(self, request: GenerationRequest) -> Generation:
        """Refuse: a verifier scores.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"{self.model_id} is a verifier: expected a policy to generate with")

    async def score(self, request: ScoringRequest) -> StepScoring:
        """Score the steps of one solution that have no known score; all of it is read twice.

        Raises:
            RequestRejected: the solution is too long, has no step or an empty one, or a score is
                not a number.
            EngineFailed: an engine is gone.
        """
        layout = self._own.lay_out(request)
        own, reference = await asyncio.gather(
            self._own.token_logprobs(layout.token_ids),
            self._reference.token_logprobs(layout.token_ids),
        )
        scores = p_preferred(own, reference, layout, self._beta)[request.num_known :]
        for step, score in enumerate(scores, request.num_known):
            if not math.isfinite(score):
                raise RequestRejected(f"step {step}: expected a score in [0, 1], got {score}")
        return StepScoring(
            scores=tuple(scores), scored_tokens=2 * len(layout.token_ids), cached_tokens=0
        )

    def encode_text(self, text: str) -> Sequence[int]:
        """The tokens of a text alone, without special tokens."""
        return self._own.encode_text(text)

    async def close(self) -> None:
        """Free both models."""
        await self._own.close()
        await self._reference.close()
