"""Config of the scoring stage."""

from schemas.base import FrozenConfig


class ScoringConfig(FrozenConfig):
    """Every step of stored trajectories read once by one verifier."""

    model: str
    """Verifier: a model id of the store, a folder, or a Hugging Face id."""
