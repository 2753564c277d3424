"""The protocol every engine speaks; algorithms know nothing else of what generates and scores."""

from typing import Protocol, runtime_checkable

from schemas.engines import Generation, GenerationRequest, ScoringRequest, StepScoring


@runtime_checkable
class Engine(Protocol):
    """Generates continuations, scores steps, or both; thousands of calls may be in flight."""

    name: str
    """What the `engine` column says, e.g. `vllm 0.32.0 cpu`."""
    model_id: str
    """What the `policy` and `verifier` columns say."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Continue one prompt or prefix n times.

        Raises:
            RequestRejected: this request cannot be served; others go on.
            EngineFailed: the engine is gone.
        """
        ...

    async def score(self, request: ScoringRequest) -> StepScoring:
        """Score each step of one solution, a value in [0, 1] per step, in order.

        Raises:
            RequestRejected: this request cannot be served; others go on.
            EngineFailed: the engine is gone.
        """
        ...

    async def close(self) -> None:
        """Free what the engine holds."""
        ...
