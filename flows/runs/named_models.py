"""The models that a config names, looked for before anything starts."""

from schemas.base import FrozenConfig
from schemas.engines import VLLMConfig
from schemas.experiments.experiment import TRAINED
from tasks.engines.open import identify_engine


def check_models_of(config: FrozenConfig) -> None:
    """Look for the models that a config names, so that an unusable one is not found in an actor.

    Raises:
        ModelUnusable: one is not there, or cannot be read.
    """
    for _, engine in config:
        if isinstance(engine, VLLMConfig) and engine != TRAINED:
            identify_engine(engine)
