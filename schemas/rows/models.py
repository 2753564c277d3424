"""A row is a trained or registered model."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.tables import TableSpec

ModelRole = Literal["policy", "verifier", "critic", "judge", "retriever", "reference", "annotator"]
"""What a model does in a job; `schemas.engines.ROLE_WORK` says what an engine must do for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A trained or registered model; `metrics` is JSON text."""

    model_id: str
    role: ModelRole
    path: str
    base: str | None
    training_set: str | None
    metrics: str
    created_at: datetime
    num_parameters: int | None = None
    """Values of its weights, embeddings included; tied ones count once."""


MODELS = TableSpec("models", Model)
