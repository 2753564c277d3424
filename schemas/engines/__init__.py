"""Engines: what goes into one and comes out of it, and the configs that build them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import FrozenConfig
from schemas.engines.analytic import (
    NUM_PLANTED_GOLD,
    CalculatorConfig,
    LinesConfig,
    MarkovConfig,
    PlantedConfig,
    TacticsConfig,
)
from schemas.engines.models import (
    SHIPPED_POLICY,
    OpenAIConfig,
    ServerConfig,
    VerifierFamily,
    VLLMConfig,
)
from schemas.engines.requests import (
    UNTOLD_TOKEN,
    Completion,
    FinishReason,
    Generation,
    GenerationRequest,
    RetrievalRequest,
    RetrievedDocument,
    ScoringRequest,
    StepScoring,
)
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.rows import ModelRole

__all__ = [
    "COMPUTING_ENGINES",
    "ENGINE_WORK",
    "NUM_PLANTED_GOLD",
    "ROLE_WORK",
    "SHIPPED_POLICY",
    "UNTOLD_TOKEN",
    "CalculatorConfig",
    "Completion",
    "EngineConfig",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "IndexConfig",
    "LinesConfig",
    "MarkovConfig",
    "OpenAIConfig",
    "PlantedConfig",
    "RetrievalRequest",
    "RetrievedDocument",
    "RoleConfig",
    "ScoringRequest",
    "ServerConfig",
    "StepScoring",
    "TacticsConfig",
    "VLLMConfig",
    "VerifierFamily",
    "Work",
]

Work = Literal["generate", "score", "retrieve"]

ROLE_WORK: dict[ModelRole, Work] = {
    "policy": "generate",
    "verifier": "score",
    "critic": "generate",
    "judge": "generate",
    "retriever": "retrieve",
    "reference": "generate",
    "annotator": "generate",
}
"""What an engine must be able to do for each role."""

ENGINE_WORK: dict[str, tuple[Work, ...]] = {
    "vllm": ("generate", "score"),
    "openai": ("generate", "score"),
    "planted": ("generate", "score"),
    "markov": ("generate", "score"),
    "tactics": ("generate", "score"),
    "calculator": ("generate", "score"),
    "lines": ("generate", "score"),
    "index": ("retrieve",),
}
"""What engines of each type can do."""

COMPUTING_ENGINES = frozenset({"vllm"})
"""Engines that compute with a model in their process; the others run in the command's own."""


class IndexConfig(FrozenConfig):
    """A retriever over a finished index of documents (`stepmill run documents`)."""

    is_offered: ClassVar[bool] = False
    type: Literal["index"] = "index"
    path: Annotated[str, Field(min_length=1)]
    """Folder of the index, or its URL."""
    documents: str | None = None
    """The digest of the documents that it must be of; None for any."""


EngineConfig = Annotated[
    VLLMConfig
    | OpenAIConfig
    | PlantedConfig
    | MarkovConfig
    | TacticsConfig
    | CalculatorConfig
    | LinesConfig
    | IndexConfig,
    Field(discriminator="type"),
]


class RoleConfig(FrozenConfig):
    """A model that a job prompts besides its policy, such as a critic or a judge."""

    engine: EngineConfig
    """The model."""
    prompt: PromptConfig = PlainPromptConfig()
    """How it is prompted."""
